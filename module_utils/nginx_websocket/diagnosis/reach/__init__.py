"""Family: the way to nginx, and from nginx to the backend."""
