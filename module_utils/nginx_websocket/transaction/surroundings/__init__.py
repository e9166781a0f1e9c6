"""What every transaction is handed: its host, and all that is outside of it."""
