"""The sites as their users see them: the way to a host, every request, and the controller that makes them."""
