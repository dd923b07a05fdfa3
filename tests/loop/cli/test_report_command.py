"""What a report says of the models: fitted to the store alone, or left out with the reason."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from loop.cli.app import app
from tests.loop.conftest import Bench, quick
from tests.offline import assert_offline

pytestmark = pytest.mark.slow  # each fits models many times
SECTION = re.compile(r'<section id="models">(.*?)</section>', re.DOTALL)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("done"))
    bench.run(quick(budget={"trials": 7}))
    return bench


def report(url: str, path: Path) -> str:
    result = CliRunner().invoke(app, ["report", "--store", url, "--out", str(path)])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{path} written\n"
    return path.read_text(encoding="utf-8")


def said(page: str) -> str:
    found = SECTION.search(page)
    assert found is not None
    return found[1]


def test_a_report_shows_what_the_models_say_and_again_byte_for_byte(done: Bench, tmp_path: Path) -> None:
    page = report(done.url, tmp_path / "report.html")
    assert_offline(page)
    text = said(page)
    for piece in (
        "atmosphere matters most",
        "along temperature",
        "by atmosphere",
        "(R² ",
        "along the parameters: capacity",
    ):
        assert piece in text
    assert "constraints between parameters: importance is that over the whole box" in text
    assert "the best candidate, that of trial" in text
    assert report(done.url, tmp_path / "again.html") == page


def test_a_report_is_written_without_the_models_where_the_pool_is_gone(done: Bench, tmp_path: Path) -> None:
    data = quick()
    pool = {"kind": "table", "file": "gone.csv"}
    data["space"] = {"parameters": data["space"]["parameters"], "pool": pool}
    moved = Bench(tmp_path)
    (tmp_path / "test.db").write_bytes((done.folder / "test.db").read_bytes())
    replace_source(tmp_path / "test.db", yaml.safe_dump(data))
    text = said(report(moved.url, tmp_path / "report.html"))
    assert "There are no models to inspect: " in text
    assert "gone.csv" in text
    assert 'class="chart"' not in text


def replace_source(store: Path, source: str) -> None:
    import sqlite3

    with sqlite3.connect(store) as connection:
        connection.execute("update campaign set source = ?", (source,))
    connection.close()
