"""How users may ask a site: for which paths, and in which ways."""
