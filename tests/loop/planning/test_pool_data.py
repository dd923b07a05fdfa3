import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, ModelError
from campaigns.lab.laboratory import StationConfig
from campaigns.user_code.module_files import open_folder
from campaigns.values import Candidate
from instruments.clock import WallClock
from instruments.devices.furnace import Furnace
from instruments.lab import Lab
from loop.execution.laboratory.device_binding import JobRecords
from loop.execution.laboratory.lab_setup import build_instrument, build_lab, recipe
from loop.planning.pool_data import build_pool_data, caveats_of
from loop.validation.limit_checks import check_limits
from simulators.virtual_clock import VirtualClock
from tests.loop.conftest import quick

OWN = """
import numpy as np
from pymatgen.core import Lattice, Structure
from surrogates.pools.pool import Pool, PoolEntry, in_unit

def pool():
    cells = {a: Structure(Lattice.cubic(a), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]) for a in (3.4, 3.6)}
    return Pool("own", tuple(PoolEntry(f"NaCl-{a}", cell) for a, cell in cells.items()))

@in_unit("USD/g")
def price(pool):
    return np.arange(len(pool)) + 1.0

def bare(pool):
    return np.zeros(len(pool))

@in_unit("USD/g")
def torn(pool):
    return np.array([1.0, np.nan])

@in_unit("USD/g")
def short(pool):
    return np.zeros(1)

@in_unit("USD/g")
def broken(pool):
    raise KeyError("no price")
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "own_pool.py").write_text(OWN)
    open_folder(tmp_path)
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))
    yield
    sys.modules.pop("own_pool", None)


PRICE = {"kind": "computed", "unit": "USD/kg", "function": "own_pool:price"}


def pooled(**changes: Any) -> Campaign:
    data = quick(surrogate={"features": [{"kind": "chgnet"}]}, **changes)
    data["space"]["pool"] = {"kind": "generator", "function": "own_pool:pool"}
    data["metrics"].setdefault("cost", dict(PRICE))
    return Campaign(**data)


@pytest.mark.usefixtures("own")
def test_a_pool_of_the_user_s_own_with_a_metric_in_another_unit() -> None:
    progress: list[tuple[str, int, int]] = []
    materials = build_pool_data(pooled(), lambda *far: progress.append(far))
    assert materials is not None
    assert materials.pool.ids == ("NaCl-3.4", "NaCl-3.6")
    assert np.allclose(materials.computed["cost"], [1000.0, 2000.0])
    assert materials.computed_of("NaCl-3.6") == {"cost": pytest.approx(2000.0)}
    assert {("embedding with chgnet", 2, 2), ("embedding with composition", 2, 2)} <= set(progress)
    progress.clear()
    build_pool_data(pooled(), lambda *far: progress.append(far))
    assert progress == []  # all of it was in the cache


@pytest.mark.usefixtures("own")
def test_a_predictor_without_a_unit_and_one_that_is_missing_are_errors() -> None:
    data = pooled().model_dump()
    data["metrics"]["cost"]["function"] = "own_pool:bare"
    with pytest.raises(CampaignError, match=r"declares no unit; decorate it with surrogates.pools.pool.in_unit"):
        build_pool_data(Campaign(**data))
    data["metrics"]["cost"]["function"] = "own_pool:prize"
    with pytest.raises(CampaignError, match=r"metrics.cost.function: got 'own_pool:prize', but own_pool has no prize"):
        build_pool_data(Campaign(**data))


@pytest.mark.usefixtures("own")
def test_each_view_that_the_campaign_names_is_there_under_its_name() -> None:
    data = pooled().model_dump() | {"surrogate": {"features": [{"kind": "chgnet"}, {"kind": "valence"}]}}
    materials = build_pool_data(Campaign(**data))
    assert materials is not None
    assert {name: len(view) for name, view in materials.views.items()} == {"chgnet": 2, "valence": 2}


@pytest.mark.usefixtures("own")
def test_what_is_wrong_with_a_pool_is_told_before_it_is_relied_upon(tmp_path: Path) -> None:
    cell = Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with (tmp_path / "pool.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["name", "cif"], ["a", cell.to(fmt="cif")], ["b", "no crystal"], ["c", cell.to(fmt="cif")]]
        )
    data = pooled().model_dump()
    del data["metrics"]["cost"]
    data["space"]["pool"] = {"kind": "table", "file": str(tmp_path / "pool.csv"), "id": "name"}
    data["surrogate"] = {"features": [{"kind": "valence"}]}
    plan = Campaign(**data)
    materials = build_pool_data(plan)
    assert materials is not None
    assert materials.pool.ids == ("a",)
    bad, folded = caveats_of(plan, materials)
    assert bad.startswith("1 of 3 entries of the pool cannot be used, such as")
    assert folded.startswith("1 entries of the pool are duplicates")


@pytest.mark.usefixtures("own")
def test_a_model_that_is_not_there_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    features = [{"kind": "matgl", "model": "MEGNet-MP-2018.6.1-Eform"}]
    with pytest.raises(ModelError, match=r"MEGNet-MP-2018.6.1-Eform.*folder"):
        build_pool_data(Campaign(**(pooled().model_dump() | {"surrogate": {"features": features}})))


@pytest.fixture
def furnace() -> Iterator[Furnace]:
    clock = WallClock()
    yield Furnace(name="furnace", clock=clock)
    clock.close()


def test_a_recipe_is_told_in_the_instrument_s_units(furnace: Furnace) -> None:
    data = quick()
    data["space"]["parameters"]["temperature"] = {"kind": "float", "unit": "K", "low": 900, "high": 1200}
    data["space"]["constraints"] = []
    data["workflow"][0]["recipe"] |= {"time": "90 min", "ramp_rate": "5 K/min", "atmosphere": "argon"}
    for name in ("time", "ramp_rate", "atmosphere"):
        del data["space"]["parameters"][name]
    campaign = Campaign(**data)
    candidate = Candidate({"temperature": 1073.15, "lithium_excess": 3})
    told = recipe(campaign, campaign.workflow[0], candidate, furnace)
    assert told == {
        "temperature": pytest.approx(800.0),
        "time": pytest.approx(1.5),
        "ramp_rate": pytest.approx(5.0),
        "lithium_excess": 3.0,
        "atmosphere": "argon",
    }


def test_limits_are_checked_for_the_whole_space_and_every_problem_is_named(furnace: Furnace) -> None:
    data = quick()
    data["space"]["parameters"]["atmosphere"]["levels"] = ["air", "hydrogen"]
    data["space"]["parameters"]["ramp_rate"]["levels"] = [5, 50]
    data["workflow"][0]["recipe"]["colour"] = "red"
    data["workflow"] = data["workflow"][:1]
    data["workflow"][0] |= {"analysis": "instruments.analyses.galvanostatic:discharge"}
    data["workflow"][0]["gives"] = ["capacity", "mean_voltage", "phase_fraction"]
    with pytest.raises(CampaignError) as caught:
        check_limits(Campaign(**data), {"furnace_1": furnace, "furnace_2": furnace})
    assert len(caught.value.problems) == 3
    text = str(caught.value)
    assert "ramp_rate got 50 degC/min; allowed: 0.5 to 20" in text
    assert "atmosphere got 'hydrogen'; allowed: air, oxygen, argon" in text
    assert "no setting 'colour'" in text


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torn", r"gave 1 values that are not finite, the first for NaCl-3\.6"),
        ("short", r"gave values of shape \(1,\); allowed: one for each of 2 entries"),
        ("broken", r"raised KeyError: 'no price' \(.*own_pool\.py:\d+\)"),
    ],
)
def test_a_predictor_that_says_no_number_of_some_entry_is_refused(name: str, message: str) -> None:
    with pytest.raises(CampaignError, match=rf"metrics\.cost\.function: own_pool:{name} {message}"):
        build_pool_data(pooled(metrics=quick()["metrics"] | {"cost": PRICE | {"function": f"own_pool:{name}"}}))


DEVICE = """
from instruments.devices.furnace import Furnace
from instruments.lab import Lab

class Oven(Furnace):
    def __init__(self, *, name, clock, door):
        raise OSError(f"no answer from {door}")

    def has_job(self, token): return False
    def start(self, token): pass
    def progress(self): return ""
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DEVICE, r"own_oven:Oven raised OSError: no answer from left \(.*own_oven.py:7\); correct it there"),
        (DEVICE + "1 / 0", r"own_oven:Oven cannot be loaded: ZeroDivisionError: .* \(.*own_oven.py:12\)"),
        ("", "got 'own_oven:Oven', but own_oven has no Oven"),
    ],
)
def test_a_device_that_cannot_be_made_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    (tmp_path / "own_oven.py").write_text(text)
    open_folder(tmp_path)
    monkeypatch.delitem(sys.modules, "own_oven", raising=False)
    station = StationConfig(kind="device", device="own_oven:Oven", settings={"door": "left"})
    clock = VirtualClock()
    try:
        with pytest.raises(CampaignError, match=rf"stations\.oven\.device: .*{said}"):
            build_instrument("oven", station, cast(Lab, SimpleNamespace(clock=clock)), JobRecords(tmp_path))
    finally:
        clock.close()


@pytest.mark.parametrize("text", ["def build(): return None", "class Lab: clock = 1\ndef build(): return Lab()"])
def test_what_a_factory_makes_has_to_be_a_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "own_lab.py").write_text(text)
    open_folder(tmp_path)
    monkeypatch.delitem(sys.modules, "own_lab", raising=False)
    campaign = Campaign(**quick(lab={"kind": "custom", "factory": "own_lab:build"}))
    with pytest.raises(CampaignError, match=r"lab\.factory: own_lab:build returned a .* without .*close; needed"):
        build_lab(campaign, None, tmp_path, 0.0)
