"""RFC 6455: the opening handshake, frames, and the probe built on them.

``handshake`` and ``frames`` are functions over bytes; ``connection``, ``tls`` and ``probe`` do the I/O;
``masking`` keeps tokens out of what is printed.
"""
