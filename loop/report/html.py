"""A page of charts, one HTML file that needs no network, and the pieces of HTML on it.

Whatever is put in as text is escaped, so that nothing from a store becomes markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from loop.core.serialization import plain
from loop.report.style import Figure

_TEMPLATE = Path(__file__).with_name("template.html")
_SERVER = re.compile(r'(plotlyServerURL:\{valType:"string",dflt:")[^"]*')
"""Where Plotly would send a chart that somebody shares."""


@dataclass(frozen=True, slots=True)
class Page:
    """What stands on a report.

    Attributes:
        title: plain text.
        header: HTML.
        sections: name, plain title and pieces of HTML of each.
        footer: plain text.
    """

    title: str
    header: str
    sections: Sequence[tuple[str, str, Sequence[str]]]
    footer: str


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell of a sortable table: its text, and the number that it is sorted by where that is not the text."""

    text: str
    key: float | None = None
    style: str = ""


def paragraph(text: str, style: str = "") -> str:
    """Return a paragraph."""
    return f"<p{_class(style)}>{escape(text)}</p>"


def finding(name: str, text: str) -> str:
    """Return what is found of something, beside its name."""
    return f"<p><b>{escape(name)}</b>: {escape(text)}</p>"


def section(name: str, title: str, *parts: str) -> str:
    """Return a section that the page's index links to."""
    return f'<section id="{escape(name)}"><h2>{escape(title)}</h2>{"".join(parts)}</section>'


def details(summary: str, *parts: str) -> str:
    """Return parts that are folded away until asked for."""
    return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def preformatted(text: str) -> str:
    """Return text as it stands."""
    return f"<pre>{escape(text)}</pre>"


def tiles(rows: Iterable[tuple[str, str]]) -> str:
    """Return a few numbers in large print, each under its label."""
    parts = (f'<div class="tile"><span>{escape(label)}</span><b>{escape(text)}</b></div>' for label, text in rows)
    return f'<div class="tiles">{"".join(parts)}</div>'


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return labelled lines."""
    body = "".join(f"<tr><th>{escape(label)}</th><td>{escape(text)}</td></tr>" for label, text in rows)
    return f'<table class="facts">{body}</table>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a plain table."""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def sortable(heads: Sequence[str], rows: Iterable[Sequence[TableCell]]) -> str:
    """Return a table that the page sorts by a click on a head, with a field that filters its rows."""
    head = "".join(f'<th><button type="button">{escape(text).replace("_", "_<wbr/>")}</button></th>' for text in heads)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    field = '<input type="search" placeholder="filter rows" aria-label="filter rows"><output></output>'
    grid = f'<div class="wide tall"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    return f'<div class="sortable">{field}{grid}</div>'


def meter(label: str, text: str, share: float | None) -> str:
    """Return how much of a limit is used, as a bar; ``share`` is None without a limit."""
    width = 0.0 if share is None else 100 * min(max(share, 0.0), 1.0)
    bar = "" if share is None else f'<div class="bar"><i style="width:{width:.1f}%"></i></div>'
    return f'<div class="meter"><span>{escape(label)}</span><b>{escape(text)}</b>{bar}</div>'


def chart(figure: Figure) -> str:
    """Return a place for a figure, with the figure as JSON beside it for the page to draw."""
    text = json.dumps(plain(figure), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    safe = text.replace("<", "\\u003c")  # nothing inside may end the script element
    height = int(figure["layout"]["height"])
    return f'<div class="chart" style="height:{height}px"></div><script type="application/json">{safe}</script>'


def captioned(name: str, text: str, figure: str) -> str:
    """Return a chart under its name and a line about it."""
    return f'<p class="caption"><b>{escape(name)}</b>{escape(text)}</p>{figure}'


def grid(charts: Sequence[str]) -> str:
    """Return charts side by side."""
    return f'<div class="grid">{"".join(f"<div>{one}</div>" for one in charts)}</div>'


def write_page(page: Page, path: Path) -> Path:
    """Write one HTML file that draws its charts without a network, and return its path.

    Raises:
        OSError: the file cannot be written.
    """
    text = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(page.title),
        header=page.header,
        nav="".join(f'<a href="#{name}">{escape(title)}</a>' for name, title, _ in page.sections),
        sections="\n".join(section(name, title, *parts) for name, title, parts in page.sections),
        footer=escape(page.footer),
        plotly=_plotly(),
    )
    path.write_text(text, encoding="utf-8")
    return path


def _plotly() -> str:
    """Return Plotly's script without the address of its makers' server: what is not there cannot be sent to."""
    from plotly.offline import get_plotlyjs

    return _SERVER.sub(r"\1", get_plotlyjs())


def _cell(cell: TableCell) -> str:
    key = "" if cell.key is None else f' data-key="{cell.key!r}"'
    return f"<td{_class(cell.style)}{key}>{escape(cell.text)}</td>"


def _class(style: str) -> str:
    return f' class="{escape(style)}"' if style else ""
