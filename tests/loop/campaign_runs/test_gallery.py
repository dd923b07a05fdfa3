"""Every campaign that comes with Athanor, as somebody meets it who tries it: cut short, each on its virtual lab."""

import sqlite3
from pathlib import Path

import pytest

from loop.storage.paths import ready_campaigns
from tests.snippets import ROOT, Reader, Snippet

pytestmark = pytest.mark.slow

TRIALS = {"cathode": 3, "calcination": 4, "crucibles": 8, "sintering": 6, "oxide": 8, "electrolyte": 8}
"""Trials that make the models choose at least once, ten but for these; the first two run longer in other tests."""


@pytest.mark.slow
@pytest.mark.parametrize("template", ready_campaigns())
def test_a_ready_campaign_runs_and_writes_its_report(template: str, tmp_path: Path) -> None:
    trials = TRIALS.get(template, 10)
    commands = [
        f"athanor init mine --from {template}",
        "athanor validate mine.yaml",
        f"athanor run mine.yaml --max-trials {trials}",
        "athanor report mine.yaml",
    ]
    Reader(tmp_path).follow(Snippet(template, "bash", "", "\n".join(commands)))
    with sqlite3.connect(tmp_path / "mine.db") as store:
        states = [state for (state,) in store.execute("select state from trial")]
    assert states.count("completed") >= min(trials - 1, 4), "some samples cannot be made, and some faults are rehearsed"
    assert set(states) <= {"completed", "failed", "quarantined", "queued"}
    assert f"<title>{'mine'}" in (tmp_path / "mine.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("template", ready_campaigns())
def test_the_gallery_tells_of_every_ready_campaign(template: str) -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert f"## {template}\n" in page
    assert f"athanor init {template}\n" in page
