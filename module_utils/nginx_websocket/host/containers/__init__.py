"""What runs in containers of this host, as the host sees it."""
