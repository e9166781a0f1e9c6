"""Family: TLS between the client and nginx, and the protocol spoken inside it."""
