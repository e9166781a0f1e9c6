"""The nginx that runs: its processes, its reload, its error log, and what it answers."""
