"""Algorithms written in Python: how their sandbox is set up and what runs inside it."""
