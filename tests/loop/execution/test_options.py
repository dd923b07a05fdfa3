"""How a session is asked for, and how it ends."""

from __future__ import annotations

from loop.execution.options import RunOptions, SessionResult


def test_each_session_is_interrupted_on_its_own() -> None:
    one, other = RunOptions("sqlite:///a.db", ""), RunOptions("sqlite:///b.db", "")
    one.stop.set()
    assert not one.abort.is_set()
    assert not other.stop.is_set()


def test_a_session_is_bounded_by_the_budget_alone_and_moves_things_unless_it_is_asked_not_to() -> None:
    asked = RunOptions("sqlite:///a.db", "")
    assert (asked.max_trials, asked.dry_run) == (None, False)


def test_a_result_is_neither_interrupted_nor_aborted_by_itself() -> None:
    ended = SessionResult("all 60 trials are spent", finished=True)
    assert (ended.interrupted, ended.aborted, ended.trials, ended.found) == (False, False, (), ())
