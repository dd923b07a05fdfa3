"""Events are values, each of one kind, and none is left out of those that a view has to show."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError
from typing import get_args

import pytest

from loop.core import events
from loop.core.events import Event, SessionEvent, StepStarted, TrialEvent


def test_every_event_is_one_of_a_trial_or_one_of_the_session() -> None:
    defined = {kind for _, kind in inspect.getmembers(events, inspect.isclass) if kind.__module__ == events.__name__}
    assert set(get_args(Event)) == defined
    assert not set(get_args(SessionEvent)) & set(get_args(TrialEvent))


def test_every_event_of_a_trial_but_the_best_names_it() -> None:
    without = {kind.__name__ for kind in get_args(TrialEvent) if "trial" not in kind.__dataclass_fields__}
    assert without == {"BestChanged", "PosteriorBestChanged"}


def test_an_event_cannot_be_changed_by_who_sees_it_first() -> None:
    event = StepStarted(0, "make", "furnace_1")
    with pytest.raises(FrozenInstanceError):
        event.trial = 1  # type: ignore[misc]
    assert event == StepStarted(0, "make", "furnace_1", attempt=1)
