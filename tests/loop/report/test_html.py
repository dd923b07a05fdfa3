"""Every page that we write is one template, which sends nothing anywhere."""

from pathlib import Path

from loop.report.html import Page, chart, sortable, write_page
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


def test_heads_of_a_wide_table_wrap_and_it_shows_that_it_scrolls(tmp_path: Path) -> None:
    table = sortable(["second_temperature [degC]"], [])
    assert "second_<wbr/>temperature [degC]" in table
    page = write_page(Page("title", "", [("one", "One", [table])], ""), tmp_path / "page.html").read_text("utf-8")
    assert ".tall { overflow-x: scroll; }" in page
