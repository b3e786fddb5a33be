"""Algorithms written in Go, compiled by the machine's own toolchain."""
