"""What a site is: the words of a transaction, the release id, the servers that a file claims."""
