"""What is compared by its text, since one request cannot show all that it may do to others."""
