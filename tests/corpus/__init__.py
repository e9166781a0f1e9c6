"""Hand-written sites of different shape, and the variables that somebody would write to take each over."""
