"""PostgreSQL: the server's own parse tree decides what a query may do."""
