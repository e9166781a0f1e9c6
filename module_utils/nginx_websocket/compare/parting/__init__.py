"""Where two behaviours of one request part, and what kind of difference that is."""
