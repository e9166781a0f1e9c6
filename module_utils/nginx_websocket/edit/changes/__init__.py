"""Cures as lines of one file: what goes and what comes, found by the code of the cause."""
