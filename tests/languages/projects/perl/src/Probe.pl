use strict;
use warnings;
use File::Path qw(make_path);
use POSIX ();
use Algorium;

sub touch {
    my ($place) = @_;
    open my $file, '>', $place or die $!;
    return;
}

sub load {
    touch('/tmp/kept');
    return {runs => 0};
}

my %ACTS = (
    count => sub { return $_[1]{runs} },
    refuse => sub { die {type => 'InputError', message => 'too small'} },
    fail => sub { die 'out of luck' },
    print => sub { print "one\n"; print STDERR "two\n"; return undef },
    write => sub { POSIX::write(1, 'straight', 8); return undef },
    bytes => sub { my $bytes = "\0\xff" x $_[0]{half}; return \$bytes },
    scratch => sub {
        opendir my $folder, '/tmp' or die $!;
        my @found = sort grep { !/^\./ } readdir $folder;
        make_path('/tmp/left/deep');
        touch('/tmp/left/deep/file');
        return \@found;
    },
    status => sub { open my $file, '<', '/proc/self/status' or die $!; return join '', <$file> },
    leave => sub { my $child = fork // die $!; exec 'sleep', '60' if !$child; return undef },
    call => sub { return Algorium::call($_[0]{name}, $_[0]{with}, timeout => 5) },
    exit => sub { exit 3 },
    hang => sub { sleep 600 while 1 },
    fill => sub { my @held = map { chr($_ % 256) x 2**20 } 1 .. 4096; return scalar @held },
);

sub apply {
    my ($value, $state) = @_;
    $state->{runs}++;
    my $act = ref $value eq 'HASH' ? $ACTS{$value->{do} // ''} : undef;
    return $act ? $act->($value, $state) : $value;
}

1;
