"""What the host says: running nginx masters, binary, version, layout, workers, sockets, backends."""
