"""A study as one HTML page that needs nothing else: text, tables, and the figures within it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from luciola.specialist.study.tables import Table

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 74rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; } p, li { max-width: 46rem; }
figure { margin: .6rem 0; } img { max-width: 100%; height: auto; }
nav { columns: 2; max-width: 46rem; } nav a { display: block; } a { color: #00528f; }
.wide { overflow-x: auto; } .note, figcaption { color: #555; font-size: .87rem; max-width: 46rem; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .6rem; border-bottom: 1px solid #e2e2e2; text-align: right;
  white-space: nowrap; }
th { border-bottom: 2px solid #999; vertical-align: bottom; }
.word { text-align: left; } tbody tr:hover { background: #f2f6fa; }
summary { cursor: pointer; font-weight: 600; margin: 1rem 0 .4rem; }
"""


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it.

    Args:
        figure: its file's name without ending; "" where there is none.
        caption: what the figure shows, for those too who cannot see it.
        tables: the first is shown, the others are folded.
    """

    title: str
    text: str = ""
    figure: str = ""
    caption: str = ""
    tables: tuple[Table, ...] = ()


def page(title: str, facts: Sequence[str], sections: Sequence[Section], figures: Path) -> str:
    """The page.

    Args:
        facts: sentences under the title.
        figures: the folder with NAME.svg for each section's figure.
    """
    links = "".join(f'<a href="#part{i}">{escape(s.title)}</a>' for i, s in enumerate(sections))
    body = "".join(_section(i, section, figures) for i, section in enumerate(sections))
    items = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1><ul>{items}</ul><nav>{links}</nav>{body}</body></html>\n"
    )


def _section(number: int, section: Section, figures: Path) -> str:
    parts = [f'<h2 id="part{number}">{escape(section.title)}</h2>']
    parts += [f"<p>{escape(section.text)}</p>"] * bool(section.text)
    if section.figure:
        parts.append(_figure(figures / f"{section.figure}.svg", section.caption))
    for index, table in enumerate(section.tables):
        shown = " open" if index == 0 and not section.figure else ""
        parts.append(
            f"<details{shown}><summary>{escape(table.title)}</summary>{_table(table)}</details>"
        )
    return "".join(parts)


def _figure(path: Path, caption: str) -> str:
    """The drawing within the page, as an image, so that names within it meet no others."""
    if not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    words = escape(caption, quote=True)
    return (
        f'<figure><img alt="{words}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    head = "".join(_cell("th", text, i < table.names) for i, text in enumerate(table.headings))
    rows = "".join(
        "<tr>" + "".join(_cell("td", text, i < table.names) for i, text in enumerate(row)) + "</tr>"
        for row in table.rows
    )
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{note}"
    )


def _cell(tag: str, text: str, is_word: bool) -> str:
    kind = ' class="word"' if is_word else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"
