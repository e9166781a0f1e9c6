"""Everything that was seen and read: the only input of the rules."""
