"""Family: the way from nginx to the backend."""
