"""Requests to a backend that differ in one property, to find the one that it refuses."""
