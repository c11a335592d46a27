"""The command line: one file per verb; each parses, imports late, calls and prints."""
