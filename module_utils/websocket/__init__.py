"""RFC 6455: the opening handshake, frames, and the probe built on them."""
