sub load {
    print "reading weights\n";
    die "no weights\n";
}

sub apply { return $_[0] }

1;
