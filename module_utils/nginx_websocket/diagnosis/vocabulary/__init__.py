"""The codes of a diagnosis in words: the shape of an entry, and all families' entries together."""
