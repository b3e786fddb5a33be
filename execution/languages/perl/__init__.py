"""Algorithms written in Perl, run by the system's own."""
