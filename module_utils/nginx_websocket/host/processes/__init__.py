"""Processes and what they may do: /proc, descriptors, sandboxes, and who could write what root executes."""
