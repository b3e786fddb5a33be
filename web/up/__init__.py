"""Everything that `make up` does: checks, embedded parts, children, progress."""
