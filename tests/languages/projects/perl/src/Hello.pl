sub apply {
    my ($name) = @_;
    return "Hello $name";
}

1;
