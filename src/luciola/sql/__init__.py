"""Text-to-SQL without torch: schemas, prompts, a sandbox for hostile SQL, and execution accuracy.

    schema ▶ prune ▶ prompt (with cell values from `values`) ▶ any model ▶ answer ▶ sandbox ▶ table
                                                                                   └▶ execution

Import the modules themselves (`from luciola.sql.schema import read_schema`); nothing loads here.
"""
