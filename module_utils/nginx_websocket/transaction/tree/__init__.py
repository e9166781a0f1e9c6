"""The files of the configuration: read, laid over, tested, and written one at a time."""
