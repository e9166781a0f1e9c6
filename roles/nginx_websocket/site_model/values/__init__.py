"""Which kind of value each variable holds, and what each kind may look like."""
