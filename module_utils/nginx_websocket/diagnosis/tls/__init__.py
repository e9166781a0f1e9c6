"""Family: certificates."""
