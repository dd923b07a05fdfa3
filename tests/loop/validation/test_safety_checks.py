"""What a campaign tells its stations is held against the lab file before anything is there."""

from pathlib import Path

import pytest

from campaigns.errors import CampaignError
from campaigns.load import load_campaign
from loop.validation.lab_checks import check_lab
from tests.ruled_campaigns import CAMPAIGN, LAB, write_ruled


def check(folder: Path, *, lab: str = LAB, campaign: str = CAMPAIGN) -> list[str]:
    file = write_ruled(folder, lab=lab, campaign=campaign)
    return check_lab(load_campaign(file), file)


def test_a_campaign_within_its_lab_file_is_accepted(tmp_path: Path) -> None:
    check(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "high: 1100",
            "high: 1180",
            "temperature: furnace: temperature got 906.85 degC; allowed: 200",
        ),
        ("levels: [air, oxygen, argon]", "levels: [air, nitrogen]", "'nitrogen'; allowed: air, oxygen, argon"),
        ("lithium_excess: 4", "lithium_excess: 40", "lithium_excess got 40 percent; allowed: 0 to 30 percent"),
    ],
)
def test_the_space_and_constants_lie_within_the_hard_limits(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(CampaignError, match=said):
        check(tmp_path, campaign=CAMPAIGN.replace(old, new))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    requires", "      tme: {choices: [a]}\n    requires", "unknown name 'tme', did you mean 'time'"),
        ("unit: degC, low: 200, high: 1120 K", "unit: K, low: 200, high: 1120",
         "the instrument has it in degC, and the lab file in K; write the limits in degC"),
        ("atmosphere: {choices: [air, oxygen, argon]}", "atmosphere: {unit: bar, low: 0, high: 2}",
         "the setting is a text: give choices"),
        ("high: 1120 K", "high: 1120 K, rate: 5 K/min", "its instrument runs programs by itself"),
        ("furnace.atmosphere == oxygen and furnace.temperature > 700 degC", "furnace.lithium_excess > 3 percent",
         "names 'furnace.lithium_excess'"),
    ],
)  # fmt: skip
def test_limits_name_settings_in_their_units(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(CampaignError, match=said):
        check(tmp_path, lab=LAB.replace(old, new))


def test_constants_that_are_forbidden_together_are_refused_with_what_an_instrument_takes_by_itself(
    tmp_path: Path,
) -> None:
    lithium = LAB.replace(
        "    requires", "      lithium_excess: {unit: percent, low: 0, high: 30}\n    requires"
    ).replace(
        "furnace.atmosphere == oxygen and furnace.temperature > 700 degC",
        "furnace.lithium_excess > 3 percent and furnace.atmosphere == air",
    )
    air = CAMPAIGN.replace("atmosphere: $gas, ", "").replace(
        "    gas: {kind: categorical, levels: [air, oxygen, argon]}\n", ""
    )
    with pytest.raises(
        CampaignError, match=r"workflow: the lab file forbids what it says: furnace\.lithium_excess > 3"
    ):
        check(tmp_path, lab=lithium, campaign=air)


def test_what_is_wrong_at_a_station_is_told_with_its_line_in_the_lab_file(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=r"lab\.yaml:6: stations\.furnace\.limits\.temperature: the instrument"):
        check(tmp_path, lab=LAB.replace("unit: degC, low: 200, high: 1120 K", "unit: K, low: 200, high: 1120"))
    plain = LAB.replace("    kind: furnace\n", "    kind: device\n    devices: {a: {device: 'hot:coolant'}}\n", 1)
    wrong = plain.replace("    limits:", "    setpoints: {x: {signal: b}}\n    limits:")
    with pytest.raises(CampaignError, match=r"lab\.path: .*lab\.yaml:6: stations\.furnace\.setpoints\.x\.signal: "):
        load_campaign(write_ruled(tmp_path, lab=wrong))


OVEN = """\
lab: {kind: virtual}
stations:
  furnace:
    kind: device
    device: "oven:Oven"
    setpoints:
      temperature: {signal: setpoint, unit: K, limits: [300, 1200], tolerance: 1 K, timeout: 1 min}
    safe: {PART: 300}
"""
OVEN_CLASS = """\
from ophyd import Component, Device, Signal


class Oven(Device):
    setpoint = Component(Signal, value=300.0)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fan = Signal(name="fan")
"""


def test_a_misspelt_part_of_a_safe_state_is_told_without_importing_the_device(tmp_path: Path) -> None:
    (tmp_path / "oven.py").write_text(OVEN_CLASS, encoding="utf-8")
    for part, said in (("setpont", "'setpont', did you mean 'setpoint'; allowed: temperature, setpoint"), ("fan", "")):
        with pytest.raises(CampaignError) as caught:  # the recipe sets what an oven does not have
            check(tmp_path, lab=OVEN.replace("PART", part))
        assert said in str(caught.value)
        assert ("unknown name" in str(caught.value)) == bool(said)


NESTED = """\
from ophyd import Component, Device, Signal


class Zone(Device):
    setpoint = Component(Signal, value=300.0)


class Oven(Device):
    upper = Component(Zone)


class Braked(Oven):
    def stop(self, *, success=False):
        self.upper.setpoint.put(300.0)
"""


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("upper.setpoint", ""),
        ("upper.setpont", "'upper.setpont': there is no 'setpont', did you mean 'setpoint'; allowed: setpoint"),
        ("device.uper.setpoint", "there is no 'uper', did you mean 'upper'"),
        ("upper.setpoint.value", "setpoint is a plain ophyd Signal, so that there is no value"),
    ],
)
def test_all_names_that_lead_to_a_part_are_held_against_the_source(tmp_path: Path, part: str, said: str) -> None:
    (tmp_path / "oven.py").write_text(NESTED, encoding="utf-8")
    lab = OVEN.replace("signal: setpoint", "signal: upper.setpoint").replace("PART", part)
    with pytest.raises(CampaignError) as caught:  # the recipe sets what an oven does not have
        check(tmp_path, lab=lab)
    assert said in str(caught.value)
    assert ("safe: " in str(caught.value)) == bool(said)


@pytest.mark.parametrize(
    ("made", "safe", "told"), [("Oven", "", True), ("Oven", "temperature", False), ("Braked", "", False)]
)
def test_a_device_that_nobody_can_stop_is_noted_unless_its_station_has_a_safe_state(
    tmp_path: Path, made: str, safe: str, told: bool
) -> None:
    (tmp_path / "oven.py").write_text(NESTED, encoding="utf-8")
    lab = OVEN.replace("kind: virtual", "kind: real").replace("signal: setpoint", "signal: upper.setpoint")
    lab = lab.replace("PART", safe) if safe else lab.replace("    safe: {PART: 300}\n", "")
    campaign = "\n".join(line for line in CAMPAIGN.splitlines() if not line.startswith(("    time:", "    gas:")))
    campaign = campaign.replace(", time: $time, atmosphere: $gas, lithium_excess: 4 percent", "")
    notes = check(tmp_path, lab=lab.replace("oven:Oven", f"oven:{made}"), campaign=campaign)
    said = "stations.furnace.device: oven:Oven has no stop of its own: an abort leaves it as it was set"
    assert any(note.startswith(said) for note in notes) is told
