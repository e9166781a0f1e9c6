"""Which server takes a connection and a request: listen addresses and server names."""
