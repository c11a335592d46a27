"""How a question and its database are written: the paper's five ways and their variants.

A family is a layout of small pieces; a representation is a family, with or without foreign keys,
with one of its wordings: plain, with the rule ("no explanation"), or step by step. All published
prompts come out of the table `FAMILIES`, byte for byte.

Source: Gao et al. 2023, section 3.1 and figure 1, https://arxiv.org/abs/2308.15363. Some
combinations here (AS_P with foreign keys and rule) were not published; they use the same pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from luciola.errors import ConfigError
from luciola.sql.dail.facts import SchemaFacts, TableFacts
from luciola.sql.dail.naming import unknown

PLAIN, RULE, STEPS = "plain", "rule", "step by step"
THINK = "Let's think step by step. "


@dataclass(frozen=True)
class Family:
    """The pieces of one way of writing.

    `layout` has the places {tables}, {keys}, {wording} and {question}; {list} in `table` and `keys`
    is a Python list without its quotes, {names} the same parted by commas. `keys` is None where
    foreign keys cannot be switched: CR_P has them in its CREATE TABLE texts, CBR and HOUSE always.
    """

    layout: str
    table: str
    keys: str | None
    wordings: Mapping[str, str]
    between: str = "\n"
    suffix: str = "\nSELECT "
    default: str = PLAIN


def _wordings(plain: str, rule: str, steps: str | None = None) -> Mapping[str, str]:
    return MappingProxyType({PLAIN: plain, RULE: rule, STEPS: steps or THINK + plain})


ANSWER = _wordings("Answer the following", "Answer the following with no explanation")
COMPLETE = "Complete sqlite SQL query"
BRIEF = f"{COMPLETE} only and with no explanation"
FAMILIES = MappingProxyType(
    {
        "BS_P": Family(
            layout='{tables}{keys}\nQ: "{question}"',
            table="Table {name}, columns = {list}",
            keys="\nForeign_keys={list}",
            wordings=MappingProxyType({PLAIN: ""}),
            suffix="\nA: SELECT ",
        ),
        "TR_P": Family(
            layout="Given the following database schema:\n{tables}{keys}\n{wording}: {question}",
            table="{name}: {names}",
            keys=" \nAnd their foreign keys:\n{names}",
            wordings=ANSWER,
        ),
        "OD_P": Family(
            layout="### {wording}\n### SQLite SQL tables, with their properties:\n#\n{tables}\n#\n"
            "{keys}### {question}",
            table="# {name}({names})",
            keys="### Their foreign keys:\n#\n# Foreign_keys=({names})\n#\n",
            wordings=_wordings(COMPLETE, BRIEF, THINK + BRIEF),
            default=RULE,
        ),
        "CR_P": Family(
            layout="/* Given the following database schema: */\n{tables}\n\n"
            "/* {wording}: {question} */",
            table="{create}",
            keys=None,
            wordings=ANSWER,
            between="\n\n",
        ),
        "AS_P": Family(
            layout="Below is an instruction that describes a task, paired with an input that "
            "provides further context. Write a response that appropriately completes the request."
            '\n\n### Instruction:\n{wording} "{question}"\n\n### Input:\n{tables}{keys}'
            "\n\n### Response:",
            table="{name}({names})",
            keys="\nForeign Keys:{names}",
            wordings=_wordings(
                "Write a sql to answer the question",
                "Write a sql only and with no explanation to answer the question",
            ),
        ),
        "CBR": Family(
            layout="# The following are the table names and column names needed to generate SQL:\n"
            "Tables: {table_names}\nColumns: *, {column_names}\nForeign keys: {key_names}\n"
            '# translate "{question}" into SQL query only and with no explanation:',
            table="",
            keys=None,
            wordings=MappingProxyType({RULE: ""}),
            default=RULE,
        ),
        "HOUSE": Family(  # `luciola.sql.prompt` as one text
            layout="Answer with one SQLite query.\n{tables}\n\n{question}",
            table="{house}",
            keys=None,
            wordings=MappingProxyType({PLAIN: ""}),
        ),
    }
)
ORIGINAL_NAMES = MappingProxyType(
    {
        "BASELINE": ("BS_P", True, PLAIN),
        "BASELINEWOFK": ("BS_P", False, PLAIN),
        "TEXT": ("TR_P", False, PLAIN),
        "TEXTWFK": ("TR_P", True, PLAIN),
        "TEXTWRULE": ("TR_P", False, RULE),
        "TEXTCOT": ("TR_P", False, STEPS),
        "NUMBERSIGN": ("OD_P", False, RULE),
        "NUMBERSIGNWFK": ("OD_P", True, RULE),
        "NUMBERSIGNWORULE": ("OD_P", False, PLAIN),
        "NUMBERSIGNCOT": ("OD_P", False, STEPS),
        "SQL": ("CR_P", True, PLAIN),
        "SQLWRULE": ("CR_P", True, RULE),
        "SQLCOT": ("CR_P", True, STEPS),
        "INSTRUCTION": ("AS_P", False, PLAIN),
        "INSTRUCTIONWFK": ("AS_P", True, PLAIN),
        "INSTRUCTIONWRULE": ("AS_P", False, RULE),
        "INSTRUCTIONCOT": ("AS_P", False, STEPS),
        "CBR": ("CBR", True, RULE),
    }
)
"""The published code's names (`--prompt_repr`): family, foreign keys, wording."""


@dataclass(frozen=True)
class Representation:
    """One way of writing, made by `representation`; `suffix` ends the prompt of the target."""

    name: str
    foreign_keys: bool
    wording: str

    @property
    def family(self) -> Family:
        return FAMILIES[self.name]

    @property
    def suffix(self) -> str:
        """What the answer continues; nothing where the model is to think first."""
        return "" if self.wording == STEPS else self.family.suffix

    def question(self, facts: SchemaFacts, question: str) -> str:
        """The database and the question, without the suffix: what a full example shows as well."""
        family = self.family
        keys = family.keys if self.foreign_keys and family.keys else ""
        return family.layout.format(
            tables=family.between.join(
                filter(None, (_table_text(family, t) for t in facts.tables))
            ),
            keys=keys.format(**_lists(facts.foreign_keys)),
            wording=family.wordings[self.wording],
            question=question,
            table_names=", ".join(table.name for table in facts.tables),
            column_names=", ".join(_qualified_names(facts)),
            key_names=", ".join(facts.foreign_keys),
        )

    def prompt(self, facts: SchemaFacts, question: str) -> str:
        """The whole zero-shot prompt."""
        return self.question(facts, question) + self.suffix


def representation(
    name: str,
    *,
    foreign_keys: bool | None = None,
    rule: bool | None = None,
    step_by_step: bool = False,
) -> Representation:
    """The representation of that name: the paper's (`CR_P`) or the published code's (`SQLWRULE`).

    Args:
        foreign_keys, rule: None: as the name says; the paper's names mean its figure 1, which shows
            no foreign keys except within CR_P, and the rule in OD_P only.

    Raises: ConfigError where the name or the combination does not exist.
    """
    paper, keys, wording = _named(name.upper())
    if rule is not None:
        wording = RULE if rule else PLAIN
    if step_by_step:
        wording = STEPS
    chosen = Representation(paper, keys if foreign_keys is None else foreign_keys, wording)
    _check(chosen)
    return chosen


def _named(name: str) -> tuple[str, bool, str]:
    if name in ORIGINAL_NAMES:
        return ORIGINAL_NAMES[name]
    if name in FAMILIES:
        return name, FAMILIES[name].keys is None, FAMILIES[name].default
    raise unknown("representation", name, [*FAMILIES, *ORIGINAL_NAMES])


def _check(chosen: Representation) -> None:
    family = chosen.family
    if family.keys is None and not chosen.foreign_keys:
        where = "in its CREATE TABLE texts" if chosen.name == "CR_P" else "always"
        raise ConfigError(
            f"{chosen.name} shows foreign keys {where} and has no variant without them",
            remedy="Leave --no-foreign-keys out, or choose BS_P, TR_P, OD_P or AS_P.",
        )
    if chosen.wording not in family.wordings:
        raise ConfigError(
            f"{chosen.name} has no wording {chosen.wording!r}",
            remedy=f"It has: {', '.join(family.wordings)}.",
        )


def _table_text(family: Family, table: TableFacts) -> str:
    return family.table.format(
        name=table.name, create=table.create, house=table.house, **_lists(table.columns)
    )


def _lists(names: tuple[str, ...]) -> dict[str, str]:
    return {"list": str(list(names)).replace("'", ""), "names": ", ".join(names)}


def _qualified_names(facts: SchemaFacts) -> list[str]:
    return [f"{table.name}.{column}" for table in facts.tables for column in table.columns]
