"""Algorithms written in Java, compiled when they are built and run by the system's own."""
