"""Cures as changes of the user's own files."""
