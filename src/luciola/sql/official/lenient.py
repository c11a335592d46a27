"""Tokens for the official grammar from SQL of any style, so that style alone costs no match.

What means the same is written the same: blanks around operators, `<>` for `!=`, INNER and CROSS
JOIN, comma joins, aliases without AS, names of selected columns, quoted identifiers, IS NULL,
brackets after DISTINCT, IN with a list of literals. Left out, because the grammar has no place for
them: outer joins, CASE, WITH, functions, conditions in brackets, and aliases that mean different
tables at different places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from luciola.sql.identifier import SQLITE_RESERVED
from luciola.sql.lexer import Piece, pieces
from luciola.sql.official.cursor import CLAUSES
from luciola.sql.official.problem import require
from luciola.sql.official.schema import Schema
from luciola.sql.official.tokens import MAX_CHARACTERS

OPERATORS = {"<>": "!=", "==": "=", "!=": "!=", ">=": ">=", "<=": "<="}
AFTER_VALUES = {"=", "!=", ">", "<", ">=", "<=", "like", "between", "in", "and", "or", ",", "("}
MAX_TOKENS = 5_000
"""Beyond it names are not put in any more, since names made of names could grow without end."""
NOT_ALIASES = CLAUSES | SQLITE_RESERVED | {"by", "asc", "desc", "with"}
LITERAL = re.compile(r'".*"|-?[\d.]+(?:e[+-]?\d+)?', re.DOTALL)
CLOSING = {"'": "'", '"': '"', "`": "`", "[": "]"}


def tokenize_leniently(sql: str, schema: Schema) -> list[str]:
    """The tokens, as near to what the official grammar takes as their meaning allows.

    Raises: Problem where the text is no SQL at all, or very long.
    """
    require(len(sql) <= MAX_CHARACTERS, f"is longer than {MAX_CHARACTERS:,} characters")
    tokens = _joined(_plain(sql, schema))
    tokens = _with_lists_as_literal(_without_distinct_brackets(_with_null_as_literal(tokens)))
    return _without_column_aliases(_with_plain_joins(tokens), schema)


def _plain(sql: str, schema: Schema) -> Iterator[str]:
    known = set(schema.tables) | {name for names in schema.tables.values() for name in names}
    for piece in pieces(sql):
        if piece.kind not in ("space", "comment"):
            yield _token(piece, known)


def _token(piece: Piece, known: set[str]) -> str:
    if piece.kind in ("string", "quoted"):
        closed = len(piece.text) > 1 and piece.text.endswith(CLOSING[piece.text[0]])
        require(closed, f"{piece.text[:20]} is not closed")
    if piece.kind == "string":
        return '"' + piece.text[1:-1].replace('"', "") + '"'
    if piece.kind != "quoted":
        return piece.text.lower()
    name = piece.text[1:-1]
    is_name = piece.text[0] in "`[" or name.lower() in known
    return name.lower() if is_name else f'"{name}"'


def _joined(plain: Iterator[str]) -> list[str]:
    """Operators of two signs, names of two parts and negative numbers as one token each."""
    tokens: list[str] = []
    for token in plain:
        before = tokens[-1] if tokens else ""
        if before + token in OPERATORS:
            tokens[-1] = OPERATORS[before + token]
        elif '"' not in before and (token == "." or (before.endswith(".") and len(before) > 1)):
            tokens[-1:] = [before + token] if token != "*" else ["*"]
        elif before == "-" and token[:1].isdigit() and set(tokens[-2:-1]) & AFTER_VALUES:
            tokens[-1] = "-" + token
        else:
            tokens.append(token)
    return tokens


def _with_null_as_literal(tokens: list[str]) -> list[str]:
    """`x is not null` as `x not is "null"`, which the grammar takes."""
    found: list[str] = []
    for token in tokens:
        if token == "null" and found[-1:] == ["is"]:
            found.append('"null"')
        elif token == "null" and found[-2:] == ["is", "not"]:
            found[-2:] = ["not", "is", '"null"']
        else:
            found.append(token)
    return found


def _without_distinct_brackets(tokens: list[str]) -> list[str]:
    """`distinct x` for `distinct ( x )`."""
    found: list[str] = []
    for token in tokens:
        if token == ")" and found[-3:-1] == ["distinct", "("]:
            found[-2:] = found[-1:]
        else:
            found.append(token)
    return found


def _with_lists_as_literal(tokens: list[str]) -> list[str]:
    """`in ( 1 , 2 )` as one literal, since its values are not compared."""
    found: list[str] = []
    at = 0
    while at < len(tokens):
        found.append(tokens[at])
        end = _end_of_list(tokens, at + 1) if tokens[at] == "in" else None
        if end is not None:
            values = "".join(tokens[at + 1 : end]).replace('"', "")
            found.append(f'"{values}"')
        at = end or at + 1
    return found


def _end_of_list(tokens: list[str], start: int) -> int | None:
    """Where a list of several literals that begins at `start` is over; None: it is none."""
    if tokens[start : start + 1] != ["("]:
        return None
    for at in range(start + 1, len(tokens) - 1, 2):
        if not LITERAL.fullmatch(tokens[at]):
            return None
        if tokens[at + 1] != ",":
            return at + 2 if tokens[at + 1] == ")" and at > start + 1 else None
    return None


def _with_plain_joins(tokens: list[str]) -> list[str]:
    """In FROM: JOIN for a comma and for INNER and CROSS JOIN, AS before every alias."""
    found: list[str] = []
    froms: list[bool] = [False]
    for index, token in enumerate(tokens):
        if token == "(":
            froms.append(False)
        elif token == ")" and len(froms) > 1:
            froms.pop()
        elif token in CLAUSES:
            froms[-1] = token == "from"
        inside = froms[-1]
        if inside and token in ("inner", "cross") and tokens[index + 1 : index + 2] == ["join"]:
            require(found[-1] != "from", f"no table stands before {token.upper()} JOIN")
            continue
        if inside and found and _is_alias(token) and _ends_table(found):
            found.append("as")
        found.append("join" if inside and token == "," else token)
    return found


def _is_alias(token: str) -> bool:
    return token not in NOT_ALIASES and token.replace("_", "a").isalnum() and "." not in token


def _ends_table(found: list[str]) -> bool:
    """Whether the last token names a table that has no alias yet."""
    return len(found) > 1 and found[-2] in ("from", "join") and _is_alias(found[-1])


def _without_column_aliases(tokens: list[str], schema: Schema) -> list[str]:
    """SELECT without `AS name`; where a name is used later, what it stands for is put there."""
    known = {name for names in schema.tables.values() for name in names}
    found: list[str] = []
    meanings: dict[str, list[str]] = {}
    starts = [-1]  # per open bracket: where the current selected expression begins in `found`
    skip = False
    for index, token in enumerate(tokens):
        if skip:
            skip = False
            continue
        if token == "(":
            starts.append(-1)
        elif token == ")" and len(starts) > 1:
            starts.pop()
        elif token == "as" and 0 <= starts[-1] < len(found) and index + 1 < len(tokens):
            name = tokens[index + 1]
            require(_is_alias(name) or '"' in name, f"{name} stands where a name should")
            if name not in known and len(found) < MAX_TOKENS:
                meanings[name] = found[starts[-1] :]
            skip = True
            continue
        elif token in CLAUSES:
            starts[-1] = len(found) + 1 if token == "select" else -1
        elif token == "," and starts[-1] >= 0:
            starts[-1] = len(found) + 1
        found += meanings.get(token, [token])
    return found
