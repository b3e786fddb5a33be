"""Algorithms written in Ruby, run by the system's own."""
