"""A standard that cannot be measured is refused before anything is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.errors import CampaignError
from campaigns.load import load_campaign
from loop.validation.lab_checks import check_lab
from tests.ruled_campaigns import LAB, write_ruled

STANDARD = """\
    standard:
      recipe: {temperature: 600 degC, time: 2 h}
      analysis: "hot:peak"
      metric: peak
      unit: degC
      value: 873 K
      tolerance: 5 K
      every: 1 week
      timeout: 10 h
"""


def check(folder: Path, old: str = "", new: str = "") -> None:
    assert old in STANDARD
    file = write_ruled(folder, lab=LAB.replace("    requires", f"{STANDARD.replace(old, new)}    requires"))
    check_lab(load_campaign(file), file)


def test_a_standard_that_can_be_measured_is_accepted_with_other_units(tmp_path: Path) -> None:
    check(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("temperature: 600 degC", "temprature: 600 degC", "unknown name 'temprature', did you mean 'temperature'"),
        (", time: 2 h", "", "says no time, and the instrument has no value for it by itself"),
        ("time: 2 h", "time: 2 kg", r"recipe.time: .*2 kg"),
        ("metric: peak", "metric: peek", "hot:peak does not give 'peek', did you mean 'peak'; it gives peak"),
        ("unit: degC\n      value: 873 K\n      tolerance: 5 K", "unit: mg\n      value: 1\n      tolerance: 1",
         r"standard.unit: hot:peak gives peak in degC"),
        ("      every: 1 week\n", "", "every or every_trials says when it is measured again"),
        ("tolerance: 5 K", "tolerance: 5 mg", "tolerance"),
    ],
)  # fmt: skip
def test_what_no_instrument_takes_or_no_analysis_gives_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(CampaignError, match=said):
        check(tmp_path, old, new)
