"""What protects a transaction: locks, the state directory, signals, and the guard that undoes it."""
