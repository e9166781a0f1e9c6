"""All that runs on a managed host: standard library alone, Python 3.8 to 3.14."""
