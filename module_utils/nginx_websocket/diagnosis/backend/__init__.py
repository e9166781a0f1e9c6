"""Family: the backend got the request and refused it."""
