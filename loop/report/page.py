"""A page of charts: one HTML file that needs no network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from loop.report.html import section

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
