# What a web server's access log says, in the Common or Combined Log Format.

use strict;
use warnings;

my $MOST_CHARACTERS = 5_000_000;
my $MOST_SHOWN = 10;
my $LINE = qr{
    ^(?<host>\S+) \s \S+ \s \S+ \s
    \[ \d+/\w+/\d{4} : (?<hour>\d\d) :\d\d:\d\d [^\]]* \] \s
    "(?<method>[A-Z]+) \s (?<path>[^\s?"]+) [^"]*" \s
    (?<status>\d{3}) \s (?<size>\d+|-)
}x;

# List the most frequent of some counts, the largest first.
sub top {
    my ($counts, $name) = @_;
    my @names = sort { $counts->{$b} <=> $counts->{$a} || $a cmp $b } keys %$counts;
    splice @names, $MOST_SHOWN if @names > $MOST_SHOWN;
    return [map { {$name => $_, requests => $counts->{$_}} } @names];
}

# Read a log, given as text or as the member `log`.
sub apply {
    my ($input) = @_;
    my $log = ref $input eq 'HASH' ? $input->{log} : $input;
    die {type => 'InputError', message => 'Give the log as text.'} if !defined $log || ref $log;
    die {type => 'TooLargeError', message => "The log has more than $MOST_CHARACTERS characters."}
        if length $log > $MOST_CHARACTERS;

    my (%paths, %missing, %hosts, %statuses, %hours);
    my ($requests, $unread, $bytes) = (0, 0, 0);
    for my $line (grep { /\S/ } split /\n/, $log) {
        if ($line !~ $LINE) {
            $unread++;
            next;
        }
        my %of = %+;
        $requests++;
        $bytes += $of{size} if $of{size} ne '-';
        $hosts{$of{host}}++;
        $hours{$of{hour}}++;
        $statuses{$of{status}}++;
        $paths{$of{path}}++;
        $missing{$of{path}}++ if $of{status} == 404;
    }
    die {type => 'InputError', message => 'No line is in the Common or Combined Log Format.'}
        if !$requests;

    return {
        requests => $requests,
        unread => $unread,
        bytes => $bytes,
        visitors => scalar(keys %hosts),
        statuses => \%statuses,
        hours => \%hours,
        pages => top(\%paths, 'path'),
        missing => top(\%missing, 'path'),
        busiest => top(\%hosts, 'host'),
    };
}

1;
