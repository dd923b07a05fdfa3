"""What raw data in the store come to, whatever the analysis does."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.load import load_campaign
from campaigns.values import Cause, MetricValue, TrialState
from loop.core.records import Analysed
from loop.execution.jobs.step_analysis import Analyst, failed, in_unit
from loop.storage.reader import Reader
from tests.stores import fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path)
    return tmp_path


def analyst(folder: Path, name: str) -> Analyst:
    """Return an analyst of the store's campaign whose step is analysed by a function of ``tests.loop.odd_analyses``."""
    file = folder / "small.yaml"
    shipped = "instruments.analyses.calcination:phase_fraction"
    file.write_text(file.read_text().replace(shipped, f"tests.loop.odd_analyses:{name}"))
    return Analyst(load_campaign(file), Reader(f"sqlite:///{folder / 'small.db'}"), None)


def analysed(folder: Path, name: str, *, trusting: bool = False) -> Analysed:
    one = analyst(folder, name)
    trial = Reader(f"sqlite:///{folder / 'small.db'}").trial(0)
    return one.analyse(trial, one.step("make"), trial.steps[-1], trusting=trusting)


@pytest.mark.slow
def test_a_metric_is_kept_in_the_campaigns_unit(folder: Path) -> None:
    found = analysed(folder, "sound").metrics["capacity"]
    assert (found.value, found.sd, found.unit) == (pytest.approx(150.0), pytest.approx(1.0), "mAh/g")


def test_an_uncertainty_is_a_difference_that_no_offset_shifts() -> None:
    found = in_unit(MetricValue(25.0, 1.0, "degC"), "K")
    assert (found.value, found.sd) == (pytest.approx(298.15), pytest.approx(1.0))


def test_flagged_data_give_no_metric_until_somebody_trusts_them(folder: Path) -> None:
    found = analysed(folder, "doubtful")
    assert (found.metrics, found.flags, found.cause) == ({}, ("too noisy",), Cause.DATA)
    assert set(analysed(folder, "doubtful", trusting=True).metrics) == {"capacity"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", "analysis failed: KeyError: 'current' (odd_analyses.py:"),
        ("exits", "analysis failed: SystemExit: 3 (odd_analyses.py:"),
        ("returns_nothing", "analysis failed: it returned nothing; needed: a campaigns.values:Measurement"),
        ("misnames", "it gives no capacity"),
    ],
)
def test_a_mistake_of_the_analysis_speaks_of_the_analysis_and_names_the_fault(
    folder: Path, name: str, said: str
) -> None:
    found = analysed(folder, name)
    assert (found.cause, found.metrics) == (Cause.ANALYSIS, {})
    assert said in found.flags[0]
    assert found.fault.partition(":")[0] in ("make", "analysis of make")


def test_a_sample_without_a_value_lacks_the_metric_and_nothing_is_wrong_with_the_data(folder: Path) -> None:
    found = analysed(folder, "has_no_value")
    assert found.missing == {"capacity": "no value: the pellet is cracked"}
    assert (found.flags, found.fault) == ((), "")


def test_the_same_mistake_has_the_same_fault_whatever_the_data() -> None:
    def mistaken(value: float) -> Analysed:
        def analysis() -> None:
            raise ValueError(f"got {value}")

        try:
            analysis()
        except ValueError as error:
            return failed("analysis of make", error)
        raise AssertionError

    one, other = mistaken(1.0), mistaken(2.0)
    assert one.flags != other.flags
    assert one.fault == other.fault
    assert "test_step_analysis.py:" in one.fault


@pytest.mark.parametrize(
    ("name", "metrics", "state", "error"),
    [
        ("sound", {"capacity"}, None, ""),
        ("doubtful", set(), TrialState.QUARANTINED, ""),
        ("has_no_value", set(), TrialState.FAILED, ""),
        ("raises", set(), None, "analysis failed: KeyError"),
    ],
)
def test_analysing_anew_tells_metrics_an_ending_or_that_the_analysis_still_fails(
    folder: Path, name: str, metrics: set[str], state: TrialState | None, error: str
) -> None:
    found, ending, why = analyst(folder, name).reanalyse(Reader(f"sqlite:///{folder / 'small.db'}").trial(0))
    assert set(found) == metrics
    assert (None if ending is None else ending.state) == state
    assert why.startswith(error)
    assert bool(why) == bool(error)
