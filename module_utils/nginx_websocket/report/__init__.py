"""What was found, in words for people."""
