"""Jobs begin within the hours of their station, and where somebody has to be there, end within them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from campaigns.lab.laboratory import StepConfig
from campaigns.lab.opening_hours import CalendarConfig
from campaigns.load import load_campaign
from campaigns.user_code.module_files import open_folder
from campaigns.values import TrialState
from loop.core.events import Event, StepStarted, Warned
from loop.core.records import StepRecord
from loop.execution.jobs.calendar_hold import CalendarHold
from loop.execution.jobs.holds import PossibleJob
from loop.execution.options import RunOptions
from loop.storage.reader import Reader
from loop.terminal.requests_view import stored_requests
from loop.terminal.status_view import status_rows
from simulators.virtual_clock import VirtualClock
from tests.ruled_campaigns import CAMPAIGN, LAB, write_ruled
from tests.trials import trial

DAY = 24.0


def hours(folder: Path, calendar: str, campaign: str = CAMPAIGN) -> tuple[list[tuple[float, float]], list[Any]]:
    """Return when the jobs of a campaign began and ended, in hours of lab time, and what status said at each start."""
    from loop.run import run

    lab = LAB.replace("    requires", f"    calendar: {calendar}\n    requires")
    file = write_ruled(folder, lab=lab, campaign=campaign)
    open_folder(folder)
    reader, seen, said = f"sqlite:///{file.with_suffix('.db')}", [], set[str]()

    def on_event(event: Event) -> None:
        if isinstance(event, Warned):
            said.add(event.text)
        if isinstance(event, StepStarted):
            waited = dict(status_rows(Reader(reader))).get("station furnace", "").partition(": ")[2]
            assert not waited.startswith("closed") or f"furnace waits: {waited}" in said
            seen.append((dict(status_rows(Reader(reader))).get("station furnace"), stored_requests(Reader(reader))))

    trials = run(load_campaign(file), RunOptions(reader, campaign), on_event).trials
    assert all(trial.state is TrialState.COMPLETED for trial in trials)
    steps = [trial.steps[0] for trial in trials]
    return [((step.started or 0.0) / 3600, (step.ended or 0.0) / 3600) for step in steps], seen


@pytest.mark.slow
def test_jobs_begin_within_the_hours_and_status_says_until_when_they_wait(tmp_path: Path) -> None:
    times, seen = hours(tmp_path, "{hours: [Mon-Tue 08:00-09:00]}")
    assert [begin for begin, _ in times] == pytest.approx([8.0, DAY + 8, 7 * DAY + 8], abs=0.01)
    assert seen[1][0].endswith(": closed until Tue 08:00 of lab week 1")
    assert seen[2][0].endswith(": closed until Mon 08:00 of lab week 2")
    assert seen[2][1] == [], "nobody is asked for anything"


@pytest.mark.slow
def test_where_somebody_has_to_be_there_jobs_end_within_the_hours(tmp_path: Path) -> None:
    step = CAMPAIGN.replace("    timeout: 60 h", "    timeout: 60 h\n    duration: 108000 + 3600 * time")
    times, _ = hours(tmp_path, "{hours: [Mon-Fri 00:00-24:00], attended: true}", step)
    assert all(begin % (7 * DAY) < 5 * DAY for begin, _ in times)
    assert all(begin % (7 * DAY) + 32 <= 5 * DAY for begin, _ in times)
    assert max(begin for begin, _ in times) > 0


def test_a_job_that_has_begun_is_taken_up_again_whatever_the_hours() -> None:
    step = StepConfig.model_validate({"name": "heat", "stations": ["furnace"], "timeout": "1 h"})
    clock = VirtualClock()  # Monday at midnight
    hold = CalendarHold({"furnace": CalendarConfig(hours=("Mon 08:00-09:00",))}, clock)
    under_way = StepRecord("heat", 1, "furnace", "heat-1", TrialState.DISPATCHED, 0.0, None, None, "", 0.0)
    begun = trial(3, TrialState.DISPATCHED, steps=(under_way,))
    new = hold(PossibleJob(trial(4, TrialState.QUEUED), step, "furnace"))
    clock.close()
    assert new is not None
    assert (new.reason, new.ends) == ("closed until Mon 08:00 of lab week 1", 8 * 3600.0)
    assert hold(PossibleJob(begun, step, "furnace")) is None
