"""A lab file in lines for people: each key that holds somebody back is said."""

from __future__ import annotations

from campaigns.lab.lab_rules import LabFileConfig
from loop.terminal.lab_file_summary import lab_file_rows

LAB = {
    "lab": {"kind": "real"},
    "stations": {
        "furnace": {
            "kind": "device",
            "devices": {"motor": {"device": "ophyd.sim:motor"}},
            "setpoints": {"temperature": {"signal": "motor", "unit": "degC", "limits": [0, 1000]}},
            "limits": {"temperature": {"unit": "degC", "low": 20, "high": "1173.15 K", "rate": "5 K/min"}},
            "requires": ["door == closed"],
            "safe": {"temperature": 20},
            "calendar": {"hours": ["Mon-Fri 07:00-19:00"], "closed": ["2026-12-24"], "attended": True},
            "standard": {
                "recipe": {"temperature": 100},
                "analysis": "instruments.analyses.plain_readings:metrics",
                "metric": "mass",
                "unit": "mg",
                "value": 12.5,
                "tolerance": 0.5,
                "every_trials": 3,
                "every": "8 h",
                "timeout": "1 h",
                "then": "flag",
            },
        }
    },
    "readings": {"door": {"device": "ophyd.sim:motor2"}},
    "forbidden": ["furnace.temperature > 600 degC and material == Li2S"],
    "emergency": ["door == pressed"],
    "positions": {"holder": {"capacity": 1}, "shelf": {}},
    "consumables": {"salt": {"stock": "0.5 kg", "reorder_at": "50 g"}, "crucibles": {"stock": 12}},
}


def test_all_that_a_lab_file_holds_back_is_said() -> None:
    assert list(lab_file_rows(LabFileConfig.model_validate(LAB))) == [
        ("limit", "furnace.temperature: 20 to 900 degC, at most 5 degC a minute"),
        ("requires", "furnace: door == closed"),
        ("safe state", "furnace: temperature 20"),
        ("calendar", "furnace: Mon-Fri 07:00-19:00, closed on 2026-12-24, attended"),
        ("standard", "furnace: mass 12.5 ± 0.5 mg, every 3 jobs and every 8 h, else its trials are flagged"),
        ("forbidden", "furnace.temperature > 600 degC and material == Li2S"),
        ("emergency stop", "when door == pressed"),
        ("position", "holder: 1 sample"),
        ("position", "shelf: any number of samples"),
        ("stock", "salt: 0.5 kg at first, reordered below 50 g"),
        ("stock", "crucibles: 12 at first"),
    ]
