"""Delivery: pages, the API, the worker and the command line; where everything is wired."""
