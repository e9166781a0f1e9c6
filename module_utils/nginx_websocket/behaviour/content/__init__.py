"""Who answers: files, redirects, and the request that a proxied backend gets."""
