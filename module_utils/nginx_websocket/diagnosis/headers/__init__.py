"""Family: what nginx makes of the headers of a handshake."""
