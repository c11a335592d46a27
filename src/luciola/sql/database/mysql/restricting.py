"""A query on MySQL or MariaDB, rewritten to find nothing but the tables and columns allowed.

Each table that it names becomes a common table expression of its allowed columns, and the query is
run without a default database, in which every other name is unknown to the server.

Left out: an inner WITH that gives a restricted table's name to a query of that same table, which
MariaDB itself does not resolve.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from luciola.sql.database.mysql.guard import Piece, QueryRefusedError, closing, text
from luciola.sql.identifier import quoted


def restricted(
    found: Sequence[Piece], own: str, columns: Mapping[str, Sequence[str] | None]
) -> str:
    """The query with each table that it names replaced by its allowed columns.

    Where the query itself defines a common table expression by a table's name, the table is called
    otherwise in what stands up to there, as SQL has it: the definition may read the table.

    Args:
        columns: table ▶ its columns that may be read; None: all.

    Raises: QueryRefusedError.
    """
    bare = [
        piece for index, piece in enumerate(found) if not _is_own_prefix(found, index, own.lower())
    ]
    for index, piece in enumerate(bare):
        if (
            piece.text == "."
            and bare[index - 1].name == own.lower()
            and index >= 2
            and bare[index - 2].text == "."
        ):
            raise QueryRefusedError("forbidden", "read a table by its full name")
    named = {piece.name for piece in bare if piece.is_name}
    tables = {name: name for name in columns if name.lower() in named}
    is_recursive = [piece.name for piece in bare[:2]] == ["with", "recursive"]
    defined = dict(_defined(bare))
    for name in [name for name in tables if name.lower() in defined]:
        if is_recursive:  # the name means the query's own expression everywhere
            del tables[name]
        else:
            tables[name] = _free(f"{name}_of_{own}", named)
            bare = _renamed(bare, name.lower(), tables[name], defined[name.lower()])
    if not tables:
        return text(bare)
    shared = ", ".join(_shared(name, own, columns[name], alias) for name, alias in tables.items())
    if bare[0].name == "with":
        start = 2 if is_recursive else 1
        return f"{text(bare[:start])} {shared}, {text(bare[start:])}"
    return f"WITH {shared} {text(bare)}"


def _defined(found: Sequence[Piece]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each name that the first WITH defines, with where its body begins and ends."""
    if found[0].name != "with":
        return
    index = 2 if len(found) > 1 and found[1].name == "recursive" else 1
    while index < len(found) and found[index].is_name:
        name = found[index].name
        index += 1
        if index < len(found) and found[index].text == "(":
            index = closing(found, index) + 1
        if [piece.name or piece.text for piece in found[index : index + 2]] != ["as", "("]:
            return
        end = closing(found, index + 1)
        yield name, (index + 2, end)
        if end + 1 >= len(found) or found[end + 1].text != ",":
            return
        index = end + 2


def _renamed(found: Sequence[Piece], name: str, new: str, body: tuple[int, int]) -> list[Piece]:
    """The table's name as `new` up to the end of `body`, but for the name that is defined there."""
    defined = [index for index, piece in enumerate(found[: body[0]]) if piece.name == name][-1]
    piece = Piece("quoted", quoted(new, "mysql"))
    return [
        piece
        if index < body[1]
        and index != defined
        and old.name == name
        and (index == 0 or found[index - 1].text != ".")
        else old
        for index, old in enumerate(found)
    ]


def _free(name: str, taken: set[str]) -> str:
    while name.lower() in taken:
        name += "_"
    return name


def _is_own_prefix(found: Sequence[Piece], index: int, own: str) -> bool:
    """`own.` before a name, and its dot."""
    if found[index].text == ".":
        index -= 1
    piece = found[index]
    return (
        piece.is_name
        and piece.name == own
        and index + 1 < len(found)
        and found[index + 1].text == "."
        and (index == 0 or found[index - 1].text != ".")
    )


def _shared(table: str, own: str, columns: Sequence[str] | None, alias: str) -> str:
    chosen = "*" if columns is None else ", ".join(quoted(name, "mysql") for name in columns)
    place = f"{quoted(own, 'mysql')}.{quoted(table, 'mysql')}"
    return f"{quoted(alias, 'mysql')} AS (SELECT {chosen} FROM {place})"
