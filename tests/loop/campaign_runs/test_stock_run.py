"""Consumables in whole campaigns: counted once for each job, kept over campaigns, refilled by people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from campaigns.errors import CampaignError
from campaigns.values import TrialState
from loop.cli.stock_orders import count_stock, refill, stock_table
from loop.core.events import Event, StepEnded, StepStarted, Warned
from loop.report.campaign_report import write_report
from loop.storage.lab_files.stock_ledger import read_stock, stock_file
from loop.storage.reader import Reader
from loop.terminal.requests_view import stored_requests
from tests.loop.campaign_runs.test_sample_run import Colleague, KilledError, url
from tests.loop.sampled import run_sampled, sampled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(100)]


def salted(folder: Path, stock: str, reorder_at: str = "0 g", **changes: Any) -> dict[str, Any]:
    """A campaign of one step that uses 10 g of salt, and a crucible."""
    consumables = {"salt": {"stock": stock, "reorder_at": reorder_at}, "crucible": {"stock": 100}}
    data = sampled(folder, {}, file={"consumables": consumables}, **changes)
    data["workflow"][0]["uses"] = {"salt": "10 g", "crucible": 1}
    return data


def left(folder: Path, name: str = "salt") -> float:
    return read_stock(stock_file(folder / "lab.yaml"))[name].left


@pytest.mark.parametrize("killed_at", [StepStarted, StepEnded])
def test_each_job_is_counted_once_killed_or_not(killed_at: type[Event], tmp_path: Path) -> None:
    data = salted(tmp_path, "100 g")

    def kill(event: Event) -> None:
        if isinstance(event, killed_at):
            raise KilledError

    with pytest.raises(KilledError):
        run_sampled(data, tmp_path, kill)
    trials = run_sampled(data, tmp_path).trials
    begun = sum(step.state is not TrialState.WITHDRAWN for trial in trials for step in trial.steps)
    assert begun >= 3
    assert left(tmp_path) == 100 - 10 * begun
    assert left(tmp_path, "crucible") == 100 - begun
    run_sampled(data, tmp_path)
    assert left(tmp_path) == 100 - 10 * begun


def test_an_attempt_that_moved_nothing_uses_nothing(tmp_path: Path) -> None:
    """The bench is not ready when it is asked for the third time."""
    trials = run_sampled(salted(tmp_path, "100 g", device="Busy"), tmp_path).trials
    assert sum(len(trial.steps) for trial in trials) == 4
    assert left(tmp_path) == 70.0
    page = write_report(Reader(url(tmp_path)), tmp_path / "report.html").read_text(encoding="utf-8")
    assert [
        re.sub("<[^>]+>", " ", row).split() for row in re.findall(r"<tr>(?:(?!</tr>).)*crucible.*?</tr>", page)
    ] == [["crucible", "97", "0", "3"]]


def test_a_job_waits_until_somebody_has_refilled_what_it_needs(tmp_path: Path) -> None:
    lab = tmp_path / "lab.yaml"
    data = salted(tmp_path, "15 g", "10 g", budget={"trials": 2})
    colleague = Colleague(tmp_path, lambda: list(refill(("salt", "0.1 kg"), lab, "new bag")), "bench_0 waits")
    said: list[str] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Warned):
            said.append(event.text)
        colleague(event)

    trials = run_sampled(data, tmp_path, on_event).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETED] * 2
    low, waits = said
    assert low.startswith("salt runs low: 5 g left, reordered below 10 g; ")
    assert waits == "bench_0 waits for people, see 'athanor requests': step_0 uses 10 g of salt, and 5 g are left"
    assert any("uses 10 g of salt, and 5 g are left" in line for line in colleague.asked)
    assert any("athanor consumable refill salt AMOUNT" in line for line in colleague.asked)
    assert any("salt runs low: 5 g left, reordered below 10 g" in line for line in colleague.asked)
    assert "stock of salt: 5 g, reordered below 10 g" in colleague.asked
    assert left(tmp_path) == 95.0
    assert stored_requests(Reader(url(tmp_path))) == []


def test_people_count_and_refill_in_any_unit_of_the_kind(tmp_path: Path) -> None:
    salted(tmp_path, "15 g", "10 g")
    lab = tmp_path / "lab.yaml"
    assert list(refill(("salt", "1 kg"), lab, "new bag")) == ["salt: 1015 g now"]
    assert list(count_stock(("salt", "9 g"), lab, "spilt")) == ["salt: 9 g now, 1015 g before"]
    names, *_, states = (list(column.cells) for column in stock_table(lab).columns)
    assert dict(zip(map(str, names), states, strict=True)) == {"salt": "runs low", "crucible": ""}
    for name, amount, why in (("sugar", "1 kg", "is no consumable"), ("salt", "1 mL", "mL"), ("salt", "-1 g", "below")):
        with pytest.raises(CampaignError, match=why):
            list(refill((name, amount), lab, "new bag"))
