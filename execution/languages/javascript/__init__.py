"""Algorithms written in JavaScript, run by Node."""
