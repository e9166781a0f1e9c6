"""Family: which location answers, and what it puts in the place of an answer."""
