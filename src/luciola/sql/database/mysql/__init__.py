"""MySQL and MariaDB: a query's smallest pieces decide what it may do."""
