"""DuckDB: its own parse tree decides what a query may do, in a process that can be killed."""
