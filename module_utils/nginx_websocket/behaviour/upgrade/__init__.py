"""Whether a WebSocket upgrade survives."""
