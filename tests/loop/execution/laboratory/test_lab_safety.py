"""What of a lab file the guard of each station has."""

from __future__ import annotations

from campaigns.lab.lab_rules import LabFileConfig
from loop.execution.laboratory.lab_safety import station_rules


def test_a_combination_is_guarded_at_all_stations_of_which_it_names_a_setting_or_a_part_of_a_device() -> None:
    number = {"unit": "mm", "low": 0, "high": 9}
    stations = {
        name: {"kind": "device", "device": "m:Stage", "limits": {"x": number, "stage.lamp": number}}
        for name in ("one", "two", "three")
    }
    rules = LabFileConfig.model_validate(
        {
            "lab": {"kind": "real"},
            "stations": stations,
            "forbidden": ["one.stage.lamp > 5 mm and two.x > 3 mm", "three.x > 8 mm and material == Li2S"],
        }
    )
    found = {name: [one.text for one in station_rules(rules, name).combinations] for name in stations}
    assert found == {"one": [rules.forbidden[0]], "two": [rules.forbidden[0]], "three": [rules.forbidden[1]]}
