"""Kills of controller and EPICS server cost what was cut off, and nothing else; and what would be wrong is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.crash_epics import POINTS, Kill, crash, judged
from campaigns.values import Candidate, MetricValue, TrialState
from instruments.devices.epics_furnace import EpicsFurnace
from loop.core.records import StepRecord, TrialRecord
from loop.storage.store import Store
from tests import trials


@pytest.mark.slow
def test_a_campaign_goes_on_after_every_kill_with_nothing_lost_and_nothing_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = [
        Kill("controller", "after start", 1, 0.0, 0.0),
        Kill("controller and server", "before document", 4, 0.0, 0.0),
        Kill("server", "after claim_load", 1, 0.0, 0.3),
        Kill("server", "", 0, 0.1, 0.3),
        Kill("controller", "after measure", 0, 0.0, 0.0),
    ]
    monkeypatch.setattr("benchmarks.crash_epics.drawn", lambda _, number: kills[number])
    verdict = crash(tmp_path, len(kills), 0, Console(quiet=True))
    assert verdict.wrong == []
    assert verdict.trials["completed"] > 0
    assert set(verdict.trials) <= {"completed", "uncertain"}


def trial(*steps: StepRecord, state: TrialState = TrialState.COMPLETED, hot: float = 500.0) -> TrialRecord:
    """Return a trial that was calcined at 500 degC by its measurement."""
    metrics = {"calcined": MetricValue(500.0, 1.0, "degC")}
    return trials.trial(0, state, candidate=Candidate({"hot": hot}), steps=steps, metrics=metrics)


STEP = StepRecord("calcine", 1, "furnace_1", "1.0-0-calcine-1", TrialState.ACQUIRED, None, None, None, "", 0.0)
BEGUN = ["crash:furnace_1:", "begin", STEP.token]
LOST = replace(STEP, state=TrialState.UNCERTAIN)


def test_every_point_is_there() -> None:
    for point in POINTS:
        name = point.split()[1]
        assert callable(getattr(EpicsFurnace if name == "start" else Store, name))


@pytest.mark.parametrize(
    ("found", "journal", "words"),
    [
        (trial(STEP), [BEGUN, BEGUN], "was begun 2 times"),
        (trial(STEP), [BEGUN, [*BEGUN[:2], "1.0-0-calcine-2"]], "step 0-calcine was begun 2 times"),
        (trial(STEP), [], "has data, and was never begun"),
        (trial(STEP, hot=420.0), [BEGUN], "gave 500.0 degC, and was set to 420.0 degC"),
        (trial(LOST, state=TrialState.UNCERTAIN), [BEGUN], "was made, could be read, and is uncertain"),
        (trial(STEP, state=TrialState.ACQUIRED), [BEGUN], "trial 0 is still acquired"),
        (trial(STEP, state=TrialState.QUARANTINED), [BEGUN], "trial 0 is quarantined"),
    ],
)
def test_what_must_not_be_is_seen(found: TrialRecord, journal: list[list[str]], words: str) -> None:
    assert any(words in text for text in judged([found], journal).wrong)


def test_a_sample_that_was_cut_off_may_be_uncertain() -> None:
    verdict = judged([trial(LOST, state=TrialState.UNCERTAIN)], [BEGUN, ["server", "killed"]])
    assert (verdict.wrong, verdict.cut_off) == ([], 1)
    assert judged([trial(LOST, state=TrialState.UNCERTAIN)], []).never_begun == 1
