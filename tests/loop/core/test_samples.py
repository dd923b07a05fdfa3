"""What became of samples, worked out from jobs and journal."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.amendments import Change
from campaigns.decisions import AnswerStep, DiscardTrial, LoseSample, MoveSample, SplitSample
from campaigns.lab.laboratory import StepConfig
from campaigns.values import TrialState
from loop.core.journal import Amendment
from loop.core.records import SampleUse, StepRecord
from loop.core.samples import SampleRecord, SampleRegister
from tests.trials import trial

DONE, OPEN, FAILED = TrialState.ACQUIRED, TrialState.DISPATCHED, TrialState.FAILED


def step(name: str, **sample: Any) -> StepConfig:
    asks = sample.pop("asks", {})
    return StepConfig.model_validate(
        {"name": name, "stations": ["bench"], "timeout": "1 h", "sample": sample, "asks": asks}
    )


def line(number: int, change: Change, refused: str = "") -> Amendment:
    return Amendment(number, 100.0, "kim", "why", change, 0, refused)


def job(name: str, state: TrialState = DONE, attempt: int = 1) -> StepRecord:
    return StepRecord(name, attempt, "bench", f"{name}-{attempt}", state, 0.0, 1.0, None, "", 0.0)


def samples(
    jobs: list[StepRecord], *steps: StepConfig, journal: tuple[Amendment, ...] = (), uses: dict[str, tuple[str, int]]
) -> dict[str, SampleRecord]:
    """Return the samples of one trial, 3; ``uses`` has token to sample and number of the last amendment before."""
    one = trial(3, TrialState.ACQUIRED, steps=tuple(jobs))
    known = [SampleUse(token, sample, seen, 50.0) for token, (sample, seen) in uses.items()]
    return SampleRegister({s.name: s for s in steps}, [one], known, journal).by_id


def texts(sample: SampleRecord) -> list[str]:
    return [event.text for event in sample.history]


MAKE = step("make", makes="500 mg", moves_to="tray")
WEIGH = step("weigh", at="holder", moves_to="tray", consumes="20 mg")


def test_steps_make_move_and_consume_a_sample() -> None:
    found = samples([job("make"), job("weigh")], MAKE, WEIGH, uses={"make-1": ("3", 0), "weigh-1": ("3", 0)})
    assert (found["3"].mass, found["3"].position, found["3"].gone) == (480.0, "tray", "")
    assert texts(found["3"]) == ["made", "weighs 500 mg", "moved to tray", "20 mg consumed"]
    assert found["3"].history[0].by == "make at bench"


def test_one_step_may_make_a_sample_and_use_some_of_it() -> None:
    both = step("make", makes="500 mg", consumes="20 mg")
    assert samples([job("make")], both, uses={"make-1": ("3", 0)})["3"].mass == 480.0


def test_a_sample_lies_at_its_step_meanwhile_and_has_its_next_place_reserved() -> None:
    found = samples([job("make"), job("weigh", OPEN)], MAKE, WEIGH, uses={"make-1": ("3", 0), "weigh-1": ("3", 0)})
    assert (found["3"].position, found["3"].reserved, found["3"].under_way) == ("holder", "tray", True)


def test_a_failed_step_leaves_it_where_the_step_was_and_has_used_it() -> None:
    found = samples([job("make"), job("weigh", FAILED)], MAKE, WEIGH, uses={"make-1": ("3", 0), "weigh-1": ("3", 0)})
    assert (found["3"].position, found["3"].mass) == ("holder", 480.0)


def test_an_attempt_that_moved_nothing_changes_nothing() -> None:
    jobs = [job("make"), job("weigh", TrialState.WITHDRAWN), job("weigh", DONE, 2)]
    uses = {"make-1": ("3", 0), "weigh-1": ("3", 0), "weigh-2": ("3", 0)}
    assert samples(jobs, MAKE, WEIGH, uses=uses)["3"].mass == 480.0


def test_parts_share_the_mass_and_the_first_one_goes_on() -> None:
    cut = step("cut", splits=2)
    one = trial(3, TrialState.ACQUIRED, steps=(job("make"), job("cut")))
    uses = [SampleUse("make-1", "3", 0, 0.0), SampleUse("cut-1", "3", 0, 0.0)]
    found = SampleRegister({"make": MAKE, "cut": cut}, [one], uses, [])
    assert [(s.id, s.parent, s.mass, s.gone) for s in found.by_id.values()] == [
        ("3", None, 500.0, "split"),
        ("3.1", "3", 250.0, ""),
        ("3.2", "3", 250.0, ""),
    ]
    current = found.current(3)
    assert current is not None
    assert current.id == "3.1"
    lost = SampleRegister({"make": MAKE, "cut": cut}, [one], uses, [line(1, LoseSample(sample="3.1"))])
    current = lost.current(3)
    assert current is not None
    assert current.id == "3.2"


def test_what_people_say_stands_between_the_jobs_as_it_was_written() -> None:
    journal = (
        line(1, MoveSample(sample="3", position="shelf")),
        line(2, MoveSample(sample="3", position="desk"), "no"),
    )
    uses = {"make-1": ("3", 0), "weigh-1": ("3", 1)}
    found = samples([job("make"), job("weigh")], MAKE, WEIGH, journal=journal, uses=uses)["3"]
    assert texts(found) == [
        "made", "weighs 500 mg", "moved to tray", "moved to shelf", "moved to tray", "20 mg consumed"
    ]  # fmt: skip
    assert found.position == "tray"
    assert found.history[3].by == "kim: why"


@pytest.mark.parametrize("change", [LoseSample(sample="3"), DiscardTrial(trial=3)])
def test_a_sample_that_is_lost_or_whose_trial_is_discarded_is_gone(change: Change) -> None:
    found = samples([job("make")], MAKE, journal=(line(1, change),), uses={"make-1": ("3", 0)})
    assert found["3"].gone == "lost"


def test_the_next_sample_of_a_trial_has_an_id_of_its_own() -> None:
    one = trial(3, TrialState.ACQUIRED, steps=(job("make"),))
    found = SampleRegister({"make": MAKE}, [one], [SampleUse("make-1", "3", 0, 0.0)], [line(1, LoseSample(sample="3"))])
    assert found.current(3) is None
    assert found.next_id(3) == "3-2"
    assert found.next_id(4) == "4"


def test_people_enter_mass_and_bar_code_and_split() -> None:
    label = step("label", asks={"mass": "g", "barcode": "text"})
    given: dict[str, float | str] = {"mass": 0.2, "barcode": "A17"}
    answer = AnswerStep(trial=3, token=job("label").token, outcome="done", readings=given)
    journal = (line(1, answer), line(2, SplitSample(sample="3", parts=4)))
    found = samples(
        [job("make"), job("label")], MAKE, label, journal=journal, uses={"make-1": ("3", 0), "label-1": ("3", 0)}
    )
    assert (found["3"].barcode, found["3"].gone) == ("A17", "split")
    assert found["3.4"].mass == pytest.approx(50.0)


def test_all_of_a_sample_is_consumed_once_its_step_has_ended() -> None:
    burn = step("burn", consumes="all")
    uses = {"make-1": ("3", 0), "burn-1": ("3", 0)}
    assert samples([job("make"), job("burn", OPEN)], MAKE, burn, uses=uses)["3"].gone == ""
    assert samples([job("make"), job("burn")], MAKE, burn, uses=uses)["3"].gone == "consumed"
