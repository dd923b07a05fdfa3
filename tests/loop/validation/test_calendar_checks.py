"""A calendar under which a step can never be begun is refused before anything is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.errors import CampaignError
from campaigns.load import load_campaign
from loop.validation.lab_checks import check_lab
from tests.ruled_campaigns import CAMPAIGN, LAB, write_ruled

SUM = "duration: 3600 + 3600 * time"


def check(folder: Path, calendar: str, step: str = "") -> None:
    lab = LAB.replace("    requires", f"    calendar: {calendar}\n    requires")
    file = write_ruled(folder, lab=lab, campaign=CAMPAIGN.replace("    timeout", f"    {step}\n    timeout"))
    check_lab(load_campaign(file), file)


@pytest.mark.parametrize(
    ("calendar", "step"),
    [
        ("{hours: [Mon-Fri 07:00-19:00]}", ""),
        ("{hours: [Mon-Fri 07:00-19:00], attended: true}", SUM),
        ("{hours: [Mon-Thu 00:00-24:00], attended: true}", ""),
    ],
)
def test_a_calendar_under_which_all_steps_fit_is_accepted(tmp_path: Path, calendar: str, step: str) -> None:
    check(tmp_path, calendar, step)


@pytest.mark.parametrize(
    ("hours", "step", "said"),
    [
        ("Mon-Fri 07:00-19:00", "", r"workflow\[0\].stations: the step takes up to 60 h, .* for 12 h at most"),
        ("Mon-Fri 07:00-17:30", SUM, r"the step takes up to 11 h, .* for 10.5 h at most \(Mon-Fri 07:00-17:30\)"),
    ],
)
def test_a_step_that_has_to_end_within_hours_that_are_too_short_is_refused(
    tmp_path: Path, hours: str, step: str, said: str
) -> None:
    with pytest.raises(CampaignError, match=said):
        check(tmp_path, f"{{hours: [{hours}], attended: true}}", step)


def test_hours_that_say_nothing_are_refused_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=r"calendar.hours\[0\].*'Mon 7-19'; allowed: days and hours"):
        check(tmp_path, "{hours: [Mon 7-19]}")
