"""Family: who is let in."""
