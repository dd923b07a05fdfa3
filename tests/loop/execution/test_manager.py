"""The order in which a session does things, and what it finishes that an earlier one has begun."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.amendments import SetWeights
from campaigns.values import TrialState
from loop.core.events import Event, Finished, Proposed, StepEnded, StepStarted, TrialEnded
from loop.storage.journal_writer import Journal
from loop.storage.reader import Reader
from tests.loop.conftest import Bench, only_step, troubled


class KilledError(Exception):
    """Stands for the end of the process in the middle of things."""


def short(trials: int = 3, **changes: Any) -> dict[str, Any]:
    """Return a campaign of a few trials before there is a model."""
    return troubled("Bench", budget={"trials": trials}, planner={"initial": 10}, **changes)


@pytest.mark.slow
def test_what_was_begun_is_finished_before_the_next_trial_begins_and_one_trial_waits_at_most(bench: Bench) -> None:
    first, second = only_step([], ["x", "y"], stations=["bench"], timeout="2 h"), short()["workflow"][0]
    del first["analysis"]
    bench.run(short(workflow=[first, second | {"name": "measure"}]))
    begun = [(event.trial, event.step) for event in bench.events if isinstance(event, StepStarted)]
    assert begun == [(number, step) for number in range(3) for step in ("make", "measure")]
    waiting: set[int] = set()
    for event in bench.events:
        if isinstance(event, Proposed):
            assert not waiting
            waiting.add(event.trial)
        if isinstance(event, StepStarted):
            waiting.discard(event.trial)


@pytest.mark.slow
def test_the_end_is_told_last_with_the_best(bench: Bench) -> None:
    outcome = bench.run(short())
    ended = bench.events[-1]
    assert isinstance(ended, Finished)
    assert ended.reason == outcome.reason
    assert ended.best is not None
    assert ended.best.score == max(trial.score or 0.0 for trial in outcome.trials)


@pytest.mark.slow
def test_raw_data_that_were_stored_before_a_kill_are_analysed_and_not_measured_again(bench: Bench) -> None:
    def die(event: Event) -> None:
        if isinstance(event, StepEnded) and event.trial == 1:
            raise KilledError

    with pytest.raises(KilledError):
        bench.run(short(), die)
    cut = Reader(bench.url).trial(1)
    assert (cut.state, cut.metrics) == (TrialState.ACQUIRED, {})
    outcome = bench.run(short())
    assert (outcome.trials[1].state, len(outcome.trials[1].steps)) == (TrialState.COMPLETED, 1)
    assert len(outcome.trials) == 3


@pytest.mark.slow
def test_trials_are_rescored_as_a_session_takes_over_even_if_it_proposes_nothing(bench: Bench) -> None:
    terms = [
        {"goal": "maximise", "metric": "height", "scale": 0.1},
        {"goal": "minimise", "metric": "height", "scale": 0.3},
    ]
    data = short(objective={"terms": terms})
    before = bench.run(data).trials
    Journal(bench.url).amend([SetWeights(weights={0: 3.0})], ("kim", "height counts"), {})
    bench.events.clear()
    after = bench.run(data).trials
    heights = [trial.metrics["height"].value for trial in before]
    assert [t.score for t in before] == pytest.approx([(h / 0.1 - h / 0.3) / 2 for h in heights])
    assert [t.score for t in after] == pytest.approx([(3 * h / 0.1 - h / 0.3) / 4 for h in heights])
    assert [t.score for t in Reader(bench.url).trials()] == [t.score for t in after]
    assert not any(isinstance(event, Proposed) for event in bench.events)


@pytest.mark.slow
def test_no_more_is_proposed_than_a_session_was_asked_for_and_what_was_proposed_is_ended(bench: Bench) -> None:
    outcome = bench.run(short(), max_trials=2)
    assert (outcome.reason, outcome.finished) == ("2 trials proposed in this session, as --max-trials says", False)
    assert [event.trial.number for event in bench.events if isinstance(event, TrialEnded)] == [0, 1]
