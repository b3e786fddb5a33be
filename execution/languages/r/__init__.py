"""Algorithms written in R, run by the system's own."""
