"""What is decided before anything changes: where files go, what would fail, what users would lose."""
