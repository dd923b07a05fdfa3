"""What the lines of a journal come to."""

from __future__ import annotations

import pytest

from campaigns.amendments import AddTrial, Change, FixParameter, SetBounds, SetWeights
from loop.core.journal import Amendment, changes_of, version_of, weights_version

NARROW = SetBounds(parameter="temperature", low=550.0, high=800.0)
FIX = FixParameter(parameter="atmosphere", value="air")
WEIGH = SetWeights(weights={0: 2.0})
ASK = AddTrial(parameters={"temperature": 600.0})


def written(number: int, change: Change, first: int | None = None, refused: str = "") -> Amendment:
    return Amendment(number, 1.7e9, "kim", "a reason", change, first, refused)


def test_changes_come_in_the_order_in_which_a_run_applied_them_and_those_that_wait_last() -> None:
    journal = [written(1, WEIGH), written(2, NARROW, 7), written(3, FIX, 4)]
    assert changes_of(journal) == [FIX, NARROW, WEIGH]


def test_changes_from_the_same_trial_on_come_as_they_were_written() -> None:
    assert changes_of([written(5, FIX, 4), written(2, NARROW, 4)]) == [NARROW, FIX]


def test_what_was_refused_changes_nothing() -> None:
    journal = [written(1, WEIGH, refused="no such term"), written(2, NARROW, refused="impossible")]
    assert changes_of(journal) == []
    assert (weights_version(journal), version_of(journal)) == (0, 0)


def test_a_requested_trial_makes_no_new_version_of_the_campaign() -> None:
    journal = [written(1, WEIGH, 3), written(2, NARROW, 3), written(3, ASK, 4)]
    assert changes_of(journal) == [WEIGH, NARROW]
    assert (weights_version(journal), version_of(journal)) == (1, 2)


@pytest.mark.parametrize(("first", "refused", "waits"), [(None, "", True), (0, "", False), (None, "no", False)])
def test_an_amendment_waits_until_it_is_applied_or_refused(first: int | None, refused: str, waits: bool) -> None:
    assert written(1, WEIGH, first, refused).waiting is waits
