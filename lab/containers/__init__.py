"""Docker: its command line, its engine, the lab's images, its network."""
