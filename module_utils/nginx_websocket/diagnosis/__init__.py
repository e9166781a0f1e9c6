"""Rules that turn a route, a probe and the host's state into findings."""
