"""What show prints of a trial: each thing once."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from campaigns.values import Candidate, TrialState
from loop.core.formatting import why_text
from loop.core.proposals import Alternative, Proposal
from loop.storage.reader import Reader
from loop.terminal.trial_view import _alternatives, _broken, _steps_table, _trial_rows
from tests import stores
from tests.trials import attempt, trial

UNITS = {"temperature": "degC", "time": "h"}


def at(temperature: float, time: float, gas: str = "air") -> Candidate:
    return Candidate({"temperature": temperature, "time": time, "atmosphere": gas})


def heads(table: Table) -> list[str]:
    return [str(column.header) for column in table.columns]


def test_alternatives_stand_there_with_their_acquisition() -> None:
    found = [at(862.1, 28.5, "argon"), at(700.0, 28.4)]
    proposal = Proposal("model", alternatives=tuple(Alternative(one, -1.7) for one in found))
    proposed = replace(trial(0, TrialState.QUEUED), candidate=at(862.4, 28.42), proposal=proposal)
    assert list(_alternatives(proposed, UNITS)) == [
        ("not chosen (-1.7)", "temperature 862.1 degC, time 28.5 h, atmosphere argon"),
        ("not chosen (-1.7)", "temperature 700 degC, time 28.4 h, atmosphere air"),
    ]


def test_a_reason_stands_at_the_top_and_nowhere_else() -> None:
    reason = "diffract: not finite: 420 of 2101 counts"
    step = attempt(0, "diffract", "xrd", reason=reason)
    one = trial(0, TrialState.QUARANTINED, reason=reason, flags=("not finite: 420 of 2101 counts",), steps=(step,))
    rows = list(_trial_rows(one, UNITS, None, ""))
    assert [text for _, text in rows if "420" in text] == [reason]
    assert "reason" not in heads(_steps_table(one))
    again = replace(one, steps=(attempt(0, "diffract", "xrd", reason="the shutter was stuck"), step))
    table = _steps_table(again)
    assert heads(table)[-1] == "reason"
    console = Console(width=300)
    with console.capture() as shown:
        console.print(table)
    assert shown.get().count("the shutter was stuck") == 1
    assert "420" not in shown.get()


def test_reasons_are_told_once_each() -> None:
    assert why_text("xrd: dead detector", "dead detector", "", "spikes", "spikes") == "xrd: dead detector; spikes"


def test_a_trial_that_is_not_feasible_says_which_outcome_constraint_it_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = "  constraints: [{metric: capacity, at_least: 200}]\nlab: {"
    monkeypatch.setattr(stores, "CAMPAIGN", stores.CAMPAIGN.replace("lab: {", limit))
    store = Reader(f"sqlite:///{stores.fill(tmp_path).with_suffix('.db')}")
    one = replace(store.trial(0), feasible=False)
    rows = dict(_trial_rows(one, UNITS, None, _broken(store, one)))
    assert rows["feasible"] == "no, breaks capacity >= 200 mAh/g"
