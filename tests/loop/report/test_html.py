"""Every page that we write is one template, which sends nothing anywhere."""

from pathlib import Path

from loop.report.html import Page, chart, write_page
from tests.offline import assert_offline
from tests.snippets import ROOT

FIGURE = {"data": [{"type": "scatter", "x": [1, 2], "y": [3, 4]}], "layout": {"height": 200}}


def test_a_page_of_charts_asks_nothing_of_any_network(tmp_path: Path) -> None:
    page = Page("title", "<h1>header</h1>", [("one", "One", [chart(FIGURE)])], "footer")
    assert_offline(write_page(page, tmp_path / "page.html").read_text(encoding="utf-8"))


def test_nobody_else_writes_pages() -> None:
    modules = [file for name in ("loop", "surrogates", "instruments") for file in ROOT.glob(f"{name}/**/*.py")]
    assert [file.name for file in modules if "plotly.offline" in file.read_text(encoding="utf-8")] == ["html.py"]
    assert [file.name for file in ROOT.glob("loop/**/*.html")] == ["template.html"]
