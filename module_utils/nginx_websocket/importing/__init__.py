"""How a module's own code is imported on the host."""
