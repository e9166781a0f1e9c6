"""Family: limits on how many sockets may be open, on sizes, and on time."""
