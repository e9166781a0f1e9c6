"""What the host says: running nginx masters, binary, version, layout, workers, sockets, backends.

Everything comes from /proc, the binary and the configuration that the running master reads; no tool
is needed on the host.
"""
