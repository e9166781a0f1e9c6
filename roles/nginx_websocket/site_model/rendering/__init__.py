"""Completed sites in nginx's own words: what the templates get, how it is quoted, and their rendering."""
