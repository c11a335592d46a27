"""What is wrong with a data set, found before anything is trained or judged on it.

splits ▶ questions ─┐
tables.json ────────┼▶ findings ▶ report
SQLite files ───────┘
"""
