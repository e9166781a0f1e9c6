"""Family: the configuration on disk is not the one that runs, or not the one that was meant."""
