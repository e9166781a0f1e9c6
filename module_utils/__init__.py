"""Code shared by the modules on the managed host: standard library only."""
