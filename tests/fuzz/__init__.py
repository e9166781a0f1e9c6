"""Long runs of random and hostile input, by `make fuzz`."""
