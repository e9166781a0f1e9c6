"""What a rollout did: recorded while it runs, told as a table, and as files for machines and for people."""
