"""Measures how fast the service is beside what one would write by hand, on the same data; no part of the tests."""
