"""How long the sessions of a campaign have taken."""

from __future__ import annotations

from loop.core.campaign_records import SessionRecord, time_spent


def session(number: int, started: float, ended: float) -> SessionRecord:
    return SessionRecord(number, started, ended, "", 1, {})


def test_earlier_sessions_count_by_their_last_sign_of_life_and_the_one_under_way_does_not() -> None:
    assert time_spent([session(1, 0.0, 60.0), session(2, 1000.0, 1030.0), session(3, 2000.0, 2400.0)]) == 90.0
    assert time_spent([session(1, 0.0, 60.0)]) == 0.0
