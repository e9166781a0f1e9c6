"""What the host keeps of transactions: numbered backups, and the journal of the open one."""
