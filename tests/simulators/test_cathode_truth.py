"""The table of truth belongs to the pool as it is, can be made again, and is near to what was measured."""

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simulators import cathode_truth
from simulators.cathode_truth import MEASURED, TABLE, Truth, compute, offsets, read, write
from surrogates.pools.pool import Pool, structure_key
from surrogates.pools.prototypes import cathodes
from surrogates.structures import PoolEntry


@pytest.fixture(scope="module")
def pool() -> Pool:
    return cathodes()


@pytest.fixture(scope="module")
def voltages() -> dict[str, float]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        return {row["id"]: float(row["voltage_V"]) for row in csv.DictReader(file)}


@pytest.mark.slow
def test_rows_are_those_of_the_pool(pool: Pool) -> None:
    rows = [(row.id, row.structure_key, row.host_key) for row in read(TABLE)]
    entries = [(each.id, structure_key(each.structure), structure_key(each.host)) for each in pool.entries]
    assert rows == entries, "the pool has changed; run: python -m simulators.cathode_truth"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LiCoO2-layered", "LiTi2O4-spinel", "LiMnSO4F-tavorite", "Li2FeSiO4-orthosilicate"])
def test_rows_can_be_made_again(pool: Pool, name: str) -> None:
    known = next(row for row in read(TABLE) if row.id == name)
    again = compute(pool[name])
    assert again.computed_voltage_V == pytest.approx(known.computed_voltage_V, abs=2e-3)
    assert again.energy_eV_per_atom == pytest.approx(known.energy_eV_per_atom, abs=1e-4)
    assert again.volume_A3_per_atom == pytest.approx(known.volume_A3_per_atom, rel=5e-3)
    assert again.volume_change == pytest.approx(known.volume_change, abs=1e-2)


def test_measured_voltages_are_met(voltages: dict[str, float]) -> None:
    errors = np.array([voltages[name] - volts for name, volts in MEASURED.items()])
    assert np.abs(errors).max() < 0.4
    assert np.sqrt((errors**2).mean()) < 0.2


def test_numbers_are_those_of_a_battery(pool: Pool, voltages: dict[str, float]) -> None:
    rows = read(TABLE)
    assert np.isfinite([list(voltages.values())]).all()
    assert np.mean([0.5 < volts < 6.0 for volts in voltages.values()]) > 0.98
    assert np.mean([abs(row.volume_change) < 0.2 for row in rows]) > 0.95


def test_an_offset_is_the_mean_over_the_measured_entries_of_its_framework(pool: Pool) -> None:
    rows = [row for row in read(TABLE) if row.id in MEASURED]
    olivines = [row for row in rows if row.id.endswith("-olivine")]
    mean = np.mean([MEASURED[row.id] - row.computed_voltage_V for row in olivines])
    found = offsets(rows, pool)
    assert found["olivine"] == pytest.approx(mean)
    assert "pyroxene" not in found


def test_the_table_survives_being_written_again(pool: Pool, tmp_path: Path) -> None:
    write(tmp_path / "again.csv", read(TABLE)[::-1], pool)
    assert (tmp_path / "again.csv").read_text(encoding="utf-8") == TABLE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_only_what_is_missing_or_has_changed_is_computed(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {row.id: row for row in read(TABLE)}
    changed = rows | {"LiNiO2-layered": compute(pool["LiCoO2-layered"])}
    del changed["LiMn2O4-spinel"]
    path = tmp_path / "table.csv"
    write(path, [row if row.id == name else replace(row, id=name) for name, row in changed.items()], pool)
    asked: list[str] = []

    def known(entry: PoolEntry) -> Truth:
        asked.append(entry.id)
        return rows[entry.id]

    monkeypatch.setattr(cathode_truth, "TABLE", path)
    monkeypatch.setattr(cathode_truth, "compute", known)
    cathode_truth.main()
    assert sorted(asked) == ["LiMn2O4-spinel", "LiNiO2-layered"]
    assert path.read_text(encoding="utf-8") == TABLE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_virtual_lab_needs_no_torch() -> None:
    code = "import sys, simulators.materials; assert not {'torch', 'chgnet', 'surrogates'} & set(sys.modules)"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
