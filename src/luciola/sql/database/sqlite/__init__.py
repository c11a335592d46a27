"""SQLite: how a file is opened, what a query may do in it, and what its schema is."""
