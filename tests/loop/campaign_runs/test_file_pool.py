"""A campaign on a file of crystals with an instrument of the user's own runs to its end and is reported."""

from pathlib import Path
from typing import Any

import pytest

from campaigns.errors import CampaignError, LabError
from campaigns.user_code.module_files import open_folder
from loop.core.candidate_results import best
from loop.report.campaign_report import write_report
from loop.service.journal_editor import add_trial, open_journal_editor
from loop.storage.reader import Reader
from tests.loop.conftest import Bench
from tests.surrogates.pools.crystal_files import cif, salt, table_text

pytestmark = pytest.mark.slow

CALORIMETER = """
import numpy as np
from campaigns.values import Measurement, MetricValue
from instruments.devices.cycler import Cycler


class Calorimeter(Cycler):
    def has_job(self, token):
        return token == self.token.get()

    def start(self, token):
        self.token.put(token)
        self.state.put("busy")
        self.clock.call_later(7200.0, self._end, self.name)

    def progress(self):
        return self.state.get()

    def _end(self):
        self.capacity.put(np.linspace(0.0, 1.0, 20))
        self.voltage.put(np.full(20, float(self.material.get().split("-")[1])))
        self.state.put("done")


def heat(data, context):
    return Measurement({"heat": MetricValue(float(np.mean(data["voltage"])), 0.01, "eV/atom")}, ())
"""


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A campaign beside its pool and its instrument: the name of a salt says its heat."""
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))
    open_folder(tmp_path)
    salts = [salt(m, x) for m in ("Li", "Na", "K", "Rb") for x in ("F", "Cl", "Br")]
    rows = [{"name": f"{s.composition.reduced_formula}-{i}", "cif": cif(s)} for i, s in enumerate(salts)]
    (tmp_path / "salts.csv").write_text(table_text([*rows, {"name": "torn", "cif": "data_x"}]))
    (tmp_path / "own_calorimeter.py").write_text(CALORIMETER)
    step = {"name": "weigh", "stations": ["oven"], "recipe": {"c_rate": 0.1}, "timeout": "24 h", "gives": ["heat"]}
    return {
        "name": "salts",
        "seed": 1,
        "space": {"parameters": {}, "pool": {"kind": "table", "file": str(tmp_path / "salts.csv"), "id": "name"}},
        "metrics": {"heat": {"kind": "measured", "unit": "eV/atom"}},
        "objective": {"terms": [{"goal": "minimise", "metric": "heat", "scale": "1 eV/atom"}]},
        "surrogate": {"features": [{"kind": "composition"}]},
        "planner": {"initial": 3},
        "lab": {"kind": "virtual"},
        "stations": {"oven": {"kind": "device", "device": "own_calorimeter:Calorimeter"}},
        "workflow": [step | {"analysis": "own_calorimeter:heat"}],
        "budget": {"trials": 8},
    }


def test_a_file_pool_with_an_instrument_of_one_s_own_needs_no_truth(campaign: dict[str, Any], bench: Bench) -> None:
    outcome = bench.run(campaign)
    assert outcome.finished
    assert len({trial.candidate.material for trial in outcome.trials}) == 8
    top = best(outcome.found)
    assert top is not None
    assert top.values["heat"] == pytest.approx(float(str(top.candidate.material).split("-")[1]))
    page = bench.folder / "report.html"
    write_report(Reader(bench.url), page)
    assert "1 could not be used" in page.read_text()


def test_a_virtual_furnace_still_wants_the_truth_of_what_it_makes(campaign: dict[str, Any], bench: Bench) -> None:
    stations = campaign["stations"] | {"furnace": {"kind": "furnace"}}
    with pytest.raises(LabError, match="or stations of your own"):
        bench.run(campaign | {"stations": stations})


def test_a_material_may_be_asked_for(bench: Bench, campaign: dict[str, Any]) -> None:
    bench.run(campaign, max_trials=1)
    editor = open_journal_editor(None, bench.url, "it stands on the shelf")
    with pytest.raises(CampaignError, match="the pool has no material 'NaCl'"):
        add_trial(editor, {"material": "NaCl"})
    with pytest.raises(CampaignError, match="names the entry of the pool"):
        add_trial(editor, {})
    add_trial(editor, {"material": "RbBr-11"})
    assert bench.run(campaign, max_trials=1).trials[1].candidate.material == "RbBr-11"
