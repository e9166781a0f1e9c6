"""Family: how many sockets may live, and for how long."""
