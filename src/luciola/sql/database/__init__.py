"""Everything that touches a database: processes of our own read it, this process never does.

    Sandbox ▶ WorkerProcess ═ pipe, JSON ═ worker ▶ Session (sqlite/, or a server's)

A process that opens and closes a file loses the locks that it holds on it elsewhere (POSIX), so a
program that keeps a SQLite file open must not open it a second time; and what is in a hostile file
or answer must not meet our memory. So the caller's process only looks at names (`address`) and
sends requests; the worker opens the database, holds a session for each that it was asked about,
and is killed when it does not answer in time.

A request is {"kind", "database", "limits", ...}, and `kind` is one of
    run      SQL that a model wrote                        ▶ {"columns", "rows", "truncated"}
    schema   tables, views, keys, comments, row counts     ▶ the fields of `luciola.sql.schema`
    values   different values of one column                ▶ [value, ...]
    trusted  a query of our own, with parameters           ▶ {"columns", "rows", "truncated"}
    broken   columns that hold text in no encoding (SQLite) ▶ [index, ...]
    open     nothing but opening it                        ▶ null
A reply is {"ok": ..., "seconds"}, {"error": kind, "detail", "seconds"} with a kind that
`result.failure` knows, or {"fault": traceback}, which is a mistake of ours.

How a dialect is added: a module with `open_session(database, limits) -> Session` (see `session`),
which raises `RefusedError(kind, detail)` for all that goes wrong with the database or the query,
and a row in `dialects.DIALECTS` that names the module and what its process needs (site-packages
for a driver, threads, variables of the environment). The worker imports the module, and gives up
what it does not need, before it reads the first request. No other code has to know the dialect.
"""
