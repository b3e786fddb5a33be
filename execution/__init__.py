"""Builds, sandbox, Ray and calls: everything between a published folder and its answer."""
