"""How long the sessions of a campaign have taken."""

from __future__ import annotations

from loop.core.campaign_records import SessionRecord, time_spent


def session(number: int, started: float, ended: float) -> SessionRecord:
    return SessionRecord(number, started, ended, "", 1, {})


def test_sessions_count_until_their_last_activity_and_the_one_under_way_until_now() -> None:
    sessions = [session(1, 0.0, 60.0), session(2, 1000.0, 1030.0)]
    assert time_spent(sessions) == 90.0
    assert time_spent(sessions, 1045.0) == 105.0
    assert time_spent([], 1045.0) == 0.0
