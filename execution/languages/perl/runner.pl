# Serves one Perl version inside its sandbox: perl runner.pl WIRE RESULT_BYTES

package Algorium;

# For algorithms: call other algorithms, as the person who called this one.
#
#     use Algorium;
#     my $greeting = Algorium::call('alice/Hello/1.0.0', 'Bob', timeout => 10);
#
# Dies with an Algorium::CallError, whose `type` and `message` tell why.

use strict;
use warnings;

our $CALL;

sub call {
    my ($reference, $value, %options) = @_;
    return $CALL->("$reference", $value, $options{timeout});
}

package Algorium::CallError;

use overload '""' => sub { $_[0]{message} }, fallback => 1;

sub new { my ($class, $type, $message) = @_; return bless {type => $type, message => $message}, $class }
sub type { return $_[0]{type} }
sub message { return $_[0]{message} }

package Algorium::Runner;

use Fcntl qw(F_SETFD FD_CLOEXEC);
use JSON::PP ();
use POSIX ();
use Scalar::Util qw(blessed reftype);
use Time::HiRes ();

use constant {ROOT => '/algorithm', MIB => 1024 * 1024, MESSAGE_LIMIT => 10_000, STACK_LIMIT => 20_000};
my @SCRATCH = ('/tmp', '/dev/shm');
my %TYPES = map { $_ => 1 } qw(
    InputError UnsupportedError InitializationError OutOfMemoryError OutOfGpuMemoryError
    LanguageError TooLargeError ParsingError EntityNotFoundError ThirdPartyCredentialError
    AlgorithmError
);
my $JSON = JSON::PP->new->utf8->canonical->allow_nonref->allow_blessed->convert_blessed;
$INC{'Algorium.pm'} = $0;

my ($number, $result_bytes) = splice @ARGV;
my $owner = $$;
my (%kept, $seen, @frames, $next_call);
open my $wire, '+<&=', $number or die "no connection: $!";
fcntl $wire, F_SETFD, FD_CLOEXEC;

# Frames, as execution/sandbox/wire.py has them.

sub send_frame {
    my ($header, $body) = @_;
    POSIX::_exit(0) if $$ != $owner;    # a copy that the author's code forked and let return
    my $head = $JSON->encode($header);
    my $data = pack('Nn', 2 + length($head) + length($body), length $head) . $head . $body;
    my $sent = 0;
    while ($sent < length $data) {
        my $count = syswrite $wire, $data, length($data) - $sent, $sent;
        POSIX::_exit(0) if !defined $count && !$!{EINTR};
        $sent += $count // 0;
    }
    return;
}

sub read_bytes {
    my ($wanted) = @_;
    my $data = '';
    while (length $data < $wanted) {
        my $count = sysread $wire, $data, $wanted - length $data, length $data;
        POSIX::_exit(0) if defined $count ? !$count : !$!{EINTR};
    }
    return $data;
}

sub next_frame {
    my ($length, $head_length) = unpack 'Nn', read_bytes(6);
    my $head = read_bytes($head_length);
    my $body = read_bytes($length - 2 - $head_length);
    return ($JSON->decode($head), $body);
}

# Values: bytes are references to a byte string, so that they differ from text.

sub to_value {
    my ($type, $body) = @_;
    return \$body if $type eq 'binary';
    return undef if $type eq 'void';
    return $JSON->decode($body) if $type eq 'json';
    utf8::decode($body);
    return $body;
}

sub to_payload {
    my ($value) = @_;
    if (defined reftype $value && !defined blessed $value && reftype $value eq 'SCALAR') {
        my $data = $$value;
        utf8::downgrade($data, 1) or die "NOT CARRIED: The result holds bytes above 255.\n";
        return ('binary', $data);
    }
    my $data = eval { $JSON->encode($value) };
    if (!defined $data) {
        my $reason = $@ =~ s/ at .* line \d+.*//sr;
        die "NOT CARRIED: The result can't be returned: $reason.\n";
    }
    die "NOT CARRIED: The result holds NaN or infinity, which JSON can't carry.\n"
        if $data =~ /^-?(?:nan|inf)/i || $data =~ /[\[,:]-?(?:nan|inf)/i && $data =~ s/"(?:[^"\\]|\\.)*"//gr =~ /nan|inf/i;
    return ('json', $data) if $data !~ /^"/;
    my $text = "$value";
    utf8::encode($text);
    return ('text', $text);
}

# What went wrong.

sub note_frames {
    @frames = ();
    for (my $depth = 1; my ($package, $file, $line) = caller $depth - 1; $depth++) {
        my $inside = (caller $depth)[3] // 'main';
        push @frames, sprintf '%s line %d, in %s', substr($file, length(ROOT) + 1), $line, $inside
            if index($file, ROOT . '/') == 0;
    }
    return;
}

sub describe {
    my ($thrown) = @_;
    my $class = blessed $thrown // '';
    my $is_hash = (reftype $thrown // '') eq 'HASH';
    my ($name) = grep { $TYPES{$_} } $class, $is_hash && !$class ? $thrown->{type} // '' : '';
    my $message =
          $class && $thrown->can('message') ? $thrown->message
        : $is_hash && defined $thrown->{message} ? $thrown->{message}
        : "$thrown";
    my $root = ROOT;
    $message =~ s/ at \Q$root\E\/\S+ line \d+(?:, <\w+> line \d+)?\.?\n?\z//;
    $message =~ s/\Q$root\E\///g;
    $message = $class || 'The algorithm failed.' if $message eq '';
    return {
        type => $name // 'AlgorithmError',
        message => substr($message, 0, MESSAGE_LIMIT),
        stacktrace => substr(join("\n", @frames ? ("$message", @frames) : ()), 0, STACK_LIMIT),
    };
}

sub failure {
    my ($type, $message) = @_;
    return $JSON->encode({type => $type, message => $message, stacktrace => ''});
}

# What a run leaves behind.

sub scratch_files {
    my @found;
    for my $top (@_) {
        opendir my $folder, $top or next;
        for my $name (grep { $_ ne '.' && $_ ne '..' } readdir $folder) {
            push @found, scratch_files("$top/$name") if -d "$top/$name" && !-l "$top/$name";
            push @found, "$top/$name";
        }
    }
    return @found;
}

sub scratch_changes { return join ',', map { (Time::HiRes::stat($_))[10] } @SCRATCH }

sub tidy {
    return 1 if !%kept && scratch_changes() eq $seen;
    my $clean = 1;
    for my $place (grep { !$kept{$_} } scratch_files(@SCRATCH)) {
        (-d $place && !-l $place ? rmdir $place : unlink $place) or $clean = 0;
    }
    $seen = scratch_changes();
    return $clean;
}

# The version.

sub load_version {
    my ($name) = @_;
    my $file = ROOT . "/src/$name.pl";
    die "src/$name.pl is not there.\n" if !-f $file;
    push @INC, ROOT . '/lib', ROOT . '/src';
    package main;
    my $done = do $file;
    die $@ if $@;
    die "src/$name.pl can't be read: $!\n" if !defined $done && $!;
    my $apply = main->can('apply') or die "src/$name.pl has no function apply.\n";
    my $load = main->can('load') or return sub { $apply->($_[0]) };
    my $state = $load->();
    return sub { $apply->($_[0], $state) };
}

sub run {
    my ($apply, $header, $body) = @_;
    my ($reply, $data) = ({id => $header->{id}, kind => 'result'});
    my $done = eval {
        local $SIG{__DIE__} = \&note_frames;
        ($reply->{type}, $data) = to_payload(scalar $apply->(to_value($header->{type}, $body)));
        1;
    };
    if (!$done) {
        my $error = $@;
        $reply->{kind} = 'error';
        $data = !ref $error && $error =~ /^NOT CARRIED: (.*)/s
            ? failure('ParsingError', $1 =~ s/\n\z//r)
            : $JSON->encode(describe($error));
    }
    elsif (length $data > $result_bytes) {
        $reply->{kind} = 'error';
        my $words = 'The result has %.1f MiB; at most %g can be returned.';
        $data = failure('TooLargeError', sprintf $words, length($data) / MIB, $result_bytes / MIB);
    }
    return ($reply, $data);
}

sub flush_output { $_->flush for \*STDOUT, \*STDERR; return }

sub main {
    binmode $_, ':utf8' for \*STDOUT, \*STDERR;
    STDOUT->autoflush(1);
    send_frame({kind => 'hello'}, '');
    my ($start) = next_frame();
    $Algorium::CALL = sub {
        my ($reference, $value, $timeout) = @_;
        die Algorium::CallError->new('UnsupportedError',
            "This version wasn't published with the permission to call others.")
            if !$start->{calls_others};
        my ($type, $data) = to_payload($value);
        my $header = {kind => 'call', id => ++$next_call, ref => $reference, type => $type, timeout => $timeout};
        send_frame($header, $data);
        my ($answer, $body) = next_frame();
        utf8::decode($body) if $answer->{error};
        die Algorium::CallError->new($answer->{error}, $body) if $answer->{error};
        return to_value($answer->{type}, $body);
    };
    my $apply = eval { local $SIG{__DIE__} = \&note_frames; load_version($start->{name}) };
    if (!$apply) {
        my $told = describe($@);
        $told->{message} =~ s/^(Can't locate \S+).*/$1. It is not among the modules of this system./s;
        $told->{message} =~ s/\n\z//;
        flush_output();
        send_frame({kind => 'failed'}, $JSON->encode($told));
        POSIX::_exit(0);
    }
    %kept = map { $_ => 1 } scratch_files(@SCRATCH);
    $seen = scratch_changes();
    send_frame({kind => 'loaded'}, '');
    while (1) {
        my ($reply, $data) = run($apply, next_frame());
        flush_output();
        $reply->{left} = tidy() ? JSON::PP::false() : JSON::PP::true();
        send_frame($reply, $data);
    }
    return;
}

main();
