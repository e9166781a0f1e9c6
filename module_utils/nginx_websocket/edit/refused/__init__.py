"""Cures of files that nginx refuses: by its message, and where they cannot even be read."""
