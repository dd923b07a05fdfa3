import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loop.cli.app import app

CAMPAIGN = """\
name: warm
seed: 1
space:
  parameters:
    temperature: {kind: float, unit: degC, low: 700, high: 900}
    atmosphere: {kind: categorical, levels: [air, oxygen, argon]}
metrics: {capacity: {kind: measured, unit: mAh/g}}
objective: {terms: [{goal: maximise, metric: capacity, scale: 10 mAh/g}]}
warm_start: [{kind: table, name: lab, file: lab.csv}]
lab: {kind: virtual}
stations: {furnace: {kind: furnace}, cycler: {kind: cycler}}
workflow:
  - name: calcine
    stations: [furnace]
    recipe:
      {temperature: $temperature, time: 10 h, ramp_rate: 5 degC/min, lithium_excess: 3 percent, atmosphere: $atmosphere}
    timeout: 99 h
  - name: cycle
    stations: [cycler]
    recipe: {c_rate: 0.1 1/h}
    analysis: instruments.analyses.galvanostatic:discharge
    gives: [capacity]
    timeout: 72 h
budget: {trials: 1}
"""
COMMAS = 'temperature [degC],atmosphere,capacity [mAh/g]\n"800,5",air,"120,5"\n810,air,125\n820,oxygen,131\n'
BAD = (
    "temperature [degC],atmosphere,capacity [mAh/g],capacity sd,note\n"
    "800,air,120,2,\n810,air,125,abc,\n820,oxygen,131,2,\n830,helium,1,2,\n1300,air,1,,\n1400,air,1,,\n840,air,,,\n"
    "850,air,<3,,x\n860,air\n"
)


def validated(folder: Path, table: str) -> str:
    (folder / "warm.yaml").write_text(CAMPAIGN)
    (folder / "lab.csv").write_text(table)
    result = CliRunner().invoke(app, ["validate", str(folder / "warm.yaml")])
    return re.sub(r"[ \t]+", " ", result.output)


def test_validate_says_what_became_of_each_row(tmp_path: Path) -> None:
    said = validated(tmp_path, BAD)
    for line in (
        "learns from: lab, lab.csv: 9 rows: 3 used, 6 left out",
        "lab: row 5: atmosphere is no level; allowed: air, oxygen, argon (got 'helium')",
        "lab: rows 6-7: temperature lies outside of the space; allowed: numbers from 700 to 900 degC (got '1300', ",
        "lab: row 8: has no value of capacity",
        "lab: row 9: capacity is a bound, not a value (got '<3')",
        "lab: row 10: 2 cells for 5 columns",
        "lab: row 3: capacity sd is no number",
        "lab: columns that are not read: note",
    ):
        assert line in said
    refused = validated(tmp_path, BAD.replace("\n800,", "\n8000,"))
    assert "lab.csv: got 2 of capacity, within the space; needed: 3" in refused
    assert "warm_start[0].file: lab.csv: rows 2, 6-7: temperature lies outside of the space" in refused
    assert "3 rows: 3 used, 0 left out" in validated(tmp_path, COMMAS)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_run_and_status_say_it_too(tmp_path: Path) -> None:
    validated(tmp_path, BAD)
    ran = CliRunner().invoke(app, ["run", str(tmp_path / "warm.yaml")])
    assert ran.exit_code == 0, ran.output
    assert "learns from: lab: 9 rows: 3 used, 6 left out" in ran.output
    (tmp_path / "lab.csv").unlink()
    status = CliRunner().invoke(app, ["status", str(tmp_path / "warm.yaml")]).output
    assert "learns from: lab: 9 rows: 3 used, 6 left out" in status
    assert "learns from: lab: rows 6-7: temperature lies outside of the space" in status
