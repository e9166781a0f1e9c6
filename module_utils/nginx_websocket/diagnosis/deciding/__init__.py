"""From facts to causes: what the configuration says, what was seen, the order of causes, the cure offered."""
