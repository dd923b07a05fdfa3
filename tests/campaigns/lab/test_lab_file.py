"""A lab file stands apart from campaigns: they take their stations from it, may tighten it, and never widen it."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from campaigns.amendments import FixParameter, SetBounds, amended
from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.lab.lab_file import load_lab_file
from campaigns.lab.lab_rules import LabStationConfig, LimitConfig
from campaigns.load import load_campaign
from campaigns.parsing.yaml_lines import read_document
from campaigns.values import Candidate
from loop.cli.run_command import Request, overridden
from loop.core.fingerprint import campaign_record
from loop.sampling.candidates import near, sobol
from loop.sampling.nonempty import check_not_empty
from tests.ruled_campaigns import CAMPAIGN, LAB, ruled_campaign, write_ruled

OWN = "lab: {kind: file, path: lab.yaml, limits: {furnace: {temperature: {unit: K, low: 700, high: 1000}}}}"


def test_a_campaign_takes_laboratory_and_stations_from_its_lab_file(tmp_path: Path) -> None:
    campaign = ruled_campaign(tmp_path)
    assert campaign.lab.kind == "virtual"
    assert list(campaign.stations) == ["furnace"]
    assert campaign.rules is not None
    assert campaign.rules.stop_file == tmp_path / "lab.stop"
    assert campaign.rules.stations["furnace"].limits["temperature"].range == pytest.approx((200, 846.85))


def test_a_campaign_may_tighten_limits_and_never_widen_them(tmp_path: Path) -> None:
    own = CAMPAIGN.replace("lab: {kind: file, path: lab.yaml}", OWN)
    rules = ruled_campaign(tmp_path, campaign=own).rules
    assert rules is not None
    assert rules.stations["furnace"].limits["temperature"].range == pytest.approx((426.85, 726.85))
    wide = own.replace("high: 1000", "high: 1200")
    with pytest.raises(CampaignError, match=r"got 426.85 to 926.85 degC; the lab file allows 200 to 846.85"):
        ruled_campaign(tmp_path, campaign=wide)
    with pytest.raises(CampaignError, match="unknown name 'furnce', did you mean 'furnace'"):
        ruled_campaign(tmp_path, campaign=own.replace("limits: {furnace", "limits: {furnce"))


def test_the_lower_of_two_rates_holds() -> None:
    limit, own = (LimitConfig(unit="degC", low=0, high=9, rate=rate) for rate in ("6 K/min", "1 K/s"))  # type: ignore[arg-type]
    assert limit.tightened(own).rate == own.tightened(limit).rate == pytest.approx(0.1)


def test_a_campaign_replaces_no_station_of_its_lab_file(tmp_path: Path) -> None:
    with pytest.raises(
        CampaignError, match=r"they are those of lab\.yaml, which no campaign replaces; remove stations"
    ):
        ruled_campaign(tmp_path, campaign=CAMPAIGN + "stations: {furnace: {kind: furnace}}\n")


def test_what_is_wrong_in_a_lab_file_is_told_with_its_line_there(tmp_path: Path) -> None:
    for old, new, said in (
        ("door == closed", "dor == closed", r"lab.yaml:8: stations.furnace.requires\[0\]: .* did you mean 'door'"),
        ("> 0.5 L/min", "> 0.5 L", "got '0.5 L', which is"),
        ("> 700 degC", "> 7 bar", r"lab.yaml:13: forbidden\[0\]: .*got '7 bar', which is a pressure"),
        ("== oxygen", "== oxigen", r"lab.yaml:13: .*with 'oxigen', did you mean 'oxygen'; allowed: air, oxygen, argon"),
        ("== oxygen", "in [argon, helium]", r"compares furnace.atmosphere with 'helium'; allowed: air, oxygen, argon"),
        ("== oxygen", "== 2", r"compares furnace.atmosphere with 2; allowed: air, oxygen, argon"),
        ("door == closed", "door = closed", r"got 'door = closed and .* 0.5 L/min', .*; write == to compare; allowed"),
        ("high: 1120 K", "high: 100 degC", "got 200 to 100; allowed: from the lowest to the highest value"),
        ("low: 200, ", "", "a number needs unit, low and high"),
        ("requires:", "safe: {temperature: 20 degC}\n    requires:", "got 20 degC; allowed: 200 to 846.85 degC"),
        ("kind: virtual", "kind: virtuel", "lab.yaml:1: lab.kind"),
        ("stations:\n", "stations: [\n", "lab.yaml"),
    ):
        file = tmp_path / "lab.yaml"
        file.write_text(LAB.replace(old, new), encoding="utf-8")
        with pytest.raises(CampaignError, match=said):
            load_lab_file(file)
    write_ruled(tmp_path)
    (tmp_path / "lab.yaml").unlink()
    with pytest.raises(CampaignError, match=r"ruled.yaml:14: lab.path: .*lab.yaml: file: cannot be read: No such file"):
        load_campaign(tmp_path / "ruled.yaml")


OVEN = {
    "kind": "device",
    "device": "oven:Oven",
    "setpoints": {
        "temperature": {"signal": "setpoint", "unit": "degC", "limits": [0, 250]},
        "gas": {"choices": ["N2"]},
    },
    "limits": {"temperature": {"unit": "degC", "low": 0, "high": 200}},
}


@pytest.mark.parametrize("part", ["temperature", "setpoint", "device.setpoint"])
def test_a_safe_value_of_a_part_is_that_of_the_setpoint_which_moves_it(part: str) -> None:
    for value in (20, "20", "20 degC", "293.15 K"):
        safe = LabStationConfig.model_validate({**OVEN, "safe": {part: value}}).safe_values
        assert safe[part] == pytest.approx(20)
    for value, said in (
        ("20 furlong", "furlong"),
        ("20 K", "got -253.15 degC; allowed: 0 to 250 degC"),
        (230, "got 230 degC; allowed: 0 to 200 degC"),
        ("cold", "is no quantity"),
    ):
        with pytest.raises(ValidationError, match=said):
            LabStationConfig.model_validate({**OVEN, "safe": {part: value}})


def test_a_safe_value_has_a_unit_only_where_somebody_states_one() -> None:
    for value in (1, 0.5, "closed", "stop"):
        assert LabStationConfig.model_validate({**OVEN, "safe": {"fan": value}}).safe_values == {"fan": value}
    for value in ("20 degC", "20 furlong", "20"):
        with pytest.raises(ValidationError, match="nothing says the unit of fan; write a plain number"):
            LabStationConfig.model_validate({**OVEN, "safe": {"fan": value}})
    untold = {**OVEN, "limits": {}, "setpoints": {"temperature": {"signal": "setpoint"}}}
    with pytest.raises(ValidationError, match="no unit to convert it to; add unit to the setpoint"):
        LabStationConfig.model_validate({**untold, "safe": {"setpoint": "20 degC"}})
    assert LabStationConfig.model_validate({**untold, "safe": {"setpoint": 20}}).safe_values == {"setpoint": 20}
    with pytest.raises(ValidationError, match="got 'O2'; allowed: N2"):
        LabStationConfig.model_validate({**OVEN, "safe": {"gas": "O2"}})


def test_a_misspelt_reading_is_the_only_mistake_that_is_told(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(LAB.replace("and coolant >", "and colant >"), encoding="utf-8")
    with pytest.raises(CampaignError) as caught:
        load_lab_file(file)
    assert len(caught.value.problems) == 1


def test_what_no_guard_can_see_to_in_another_process_is_refused() -> None:
    own = {"kind": "device", "device": "my:Furnace", "process": True}
    LabStationConfig.model_validate(own | {"limits": {"temperature": {"unit": "degC", "low": 0, "high": 9}}})
    for more in ({"safe": {"heater": 0}}, {"setpoints": {"x": {"unit": "mm", "limits": [0, 1]}}}):
        with pytest.raises(ValidationError, match="a driver in a process of its own is not guarded there"):
            LabStationConfig.model_validate(own | more)


def test_the_same_campaign_goes_on_when_its_lab_file_changes(tmp_path: Path) -> None:
    before = campaign_record(ruled_campaign(tmp_path), CAMPAIGN)
    after = campaign_record(ruled_campaign(tmp_path, lab=LAB.replace("low: 200", "low: 250")), CAMPAIGN)
    stored = campaign_record(Campaign.model_validate(read_document(CAMPAIGN).data), CAMPAIGN)
    assert before.fingerprint == after.fingerprint == stored.fingerprint


def test_neither_another_laboratory_nor_an_amendment_gets_past_a_lab_file(tmp_path: Path) -> None:
    campaign = ruled_campaign(tmp_path)
    changed = overridden(campaign, Request(tmp_path / "ruled.yaml", seed=7, lab="epics"))
    assert (changed.lab.kind, changed.seed) == ("epics", 7)
    assert changed.rules is campaign.rules
    hot = SetBounds(parameter="temperature", low=1000, high=1100)
    oxygen = amended(campaign, [hot, FixParameter(parameter="gas", value="oxygen")])
    assert oxygen.rules is campaign.rules
    assert not oxygen.space.contains(Candidate({"temperature": 1050.0, "time": 5.0, "gas": "oxygen"}))


def test_a_forbidden_combination_is_a_constraint_of_the_space(tmp_path: Path) -> None:
    space = ruled_campaign(tmp_path).space
    drawn = [Candidate(one) for one in sobol(space, 64, 0)]
    hot = Candidate({"temperature": 973.0, "time": 5.0, "gas": "oxygen"})
    moved = near(space, hot, 40, np.random.default_rng(0), 0.3)
    assert {one.parameters["gas"] for one in drawn} == {"air", "oxygen", "argon"}
    for one in (*drawn, *moved):
        assert not (one.parameters["gas"] == "oxygen" and float(one.parameters["temperature"]) > 973.15)
    assert any(float(one.parameters["temperature"]) > 973.15 for one in drawn)


def test_a_space_in_which_everything_is_forbidden_is_refused(tmp_path: Path) -> None:
    hot = LAB.replace("furnace.atmosphere == oxygen and furnace.temperature > 700 degC", "furnace.temperature > 300 K")
    with pytest.raises(CampaignError, match=r"not \(furnace.temperature > 300 K\), by the lab file"):
        check_not_empty(ruled_campaign(tmp_path, lab=hot), "ruled.yaml")


def test_a_campaign_without_its_folder_can_be_shown_and_not_run(tmp_path: Path) -> None:
    write_ruled(tmp_path)
    campaign = Campaign.model_validate(read_document(CAMPAIGN).data)
    assert campaign.lab.kind == "file"
    assert campaign.stations == {}
