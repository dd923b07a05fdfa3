"""Make ``cathode_truth.csv``: what the virtual lab holds to be true of each cathode in the pool.

    python -m simulators.cathode_truth

The truth must not be what the planner knows beforehand (CHGNet's PBE weights on the cells as they stand). It is
CHGNet's r2SCAN weights after both cells of an entry have found their own volume, moved onto experiment by one offset
per framework: what is left against measured voltages goes with the framework, whose atoms stay where they are, far
more than with the metal. Frameworks of which no voltage is known stay as computed.

Minutes on one core. It may be stopped and started again: rows whose two cells have not changed are kept. Delete the
table to compute everything anew.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean

from pymatgen.core import Structure
from rich.progress import track

from surrogates.equation_of_state import Equilibrium, relax_volume
from surrogates.features.chgnet_model import ChgnetModel
from surrogates.pools.pool import Pool, PoolEntry, structure_key
from surrogates.pools.prototypes import cathodes
from surrogates.predictors.voltage import host_of, lithium_energy, voltage

TABLE = Path(__file__).with_name("cathode_truth.csv")
EVALUATIONS = 6  # energies per cell; converges voltages to a few mV
SAVE_EVERY = 20  # entries

MEASURED: Mapping[str, float] = {
    "LiCoO2-layered": 3.9,  # Mizushima, Jones, Wiseman, Goodenough, Mater. Res. Bull. 15, 783 (1980)
    "LiNiO2-layered": 3.8,  # Ohzuku, Ueda, Nagayama, J. Electrochem. Soc. 140, 1862 (1993)
    "Li2MnNiO4-layered": 3.8,  # Ohzuku, Makimura, Chem. Lett. 30, 744 (2001)
    "Li3CoMnNiO6-layered": 3.75,  # Ohzuku, Makimura, Chem. Lett. 30, 642 (2001)
    "LiMn2O4-spinel": 4.05,  # Ohzuku, Kitagawa, Hirai, J. Electrochem. Soc. 137, 769 (1990)
    "Li2Mn3NiO8-spinel": 4.7,  # Zhong, Bonakdarpour, Zhang, Gao, Dahn, J. Electrochem. Soc. 144, 205 (1997)
    "LiCoMnO4-spinel": 5.0,  # Kawai, Nagata, Tukamoto, West, Electrochem. Solid-State Lett. 1, 212 (1998)
    "LiCrMnO4-spinel": 4.8,  # Sigala, Guyomard, Verbaere, Piffard, Tournoux, Solid State Ionics 81, 167 (1995)
    "LiNiVO4-inverse-spinel": 4.8,  # Fey, Li, Dahn, J. Electrochem. Soc. 141, 2279 (1994)
    "LiCoVO4-inverse-spinel": 4.2,  # Fey, Wang, Yang, J. Power Sources 68, 159 (1997)
    "LiFePO4-olivine": 3.45,  # Padhi, Nanjundaswamy, Goodenough, J. Electrochem. Soc. 144, 1188 (1997)
    "LiMnPO4-olivine": 4.1,  # the same
    "LiCoPO4-olivine": 4.8,  # Amine, Yasuda, Yamachi, Electrochem. Solid-State Lett. 3, 178 (2000)
    "LiNiPO4-olivine": 5.1,  # Wolfenstine, Allen, J. Power Sources 142, 389 (2005)
    "LiVPO4F-tavorite": 4.2,  # Barker, Saidi, Swoyer, J. Electrochem. Soc. 150, A1394 (2003)
    "LiVPO5-tavorite": 4.0,  # Kerr, Gaubicher, Nazar, Electrochem. Solid-State Lett. 3, 460 (2000)
    "LiFeSO4F-tavorite": 3.6,  # Recham et al., Nat. Mater. 9, 68 (2010)
    "Li2FeSiO4-orthosilicate": 3.1,  # Nyten et al., Electrochem. Commun. 7, 156 (2005), first charge
}
"""Entry to mean voltage in V against lithium metal."""


@dataclass(frozen=True, slots=True)
class Truth:
    """One row, as computed; the offset is added when it is written.

    Attributes:
        id: pool entry.
        structure_key: of the lithiated cell.
        host_key: of the delithiated cell.
        computed_voltage_V: mean voltage by r2SCAN weights, without offset.
        volume_A3_per_atom: of the lithiated cell at its equilibrium.
        volume_change: of the cell on delithiation, as a fraction.
        energy_eV_per_atom: of the lithiated cell, r2SCAN weights.
    """

    id: str
    structure_key: str
    host_key: str
    computed_voltage_V: float  # noqa: N815 - the names are the table's columns
    volume_A3_per_atom: float  # noqa: N815
    volume_change: float
    energy_eV_per_atom: float  # noqa: N815


def main() -> None:
    """Compute the rows that are missing or out of date, and write the table."""
    pool = cathodes()
    old = {row.id: row for row in read(TABLE)}
    rows = [old[entry.id] for entry in pool.entries if entry.id in old and _is_current(old[entry.id], entry)]
    kept = {row.id for row in rows}
    missing = [entry for entry in _known_first(pool) if entry.id not in kept]
    for done, entry in enumerate(track(missing, description=f"{len(missing)} of {len(pool)} cathodes"), start=1):
        rows.append(compute(entry))
        if done % SAVE_EVERY == 0:
            write(TABLE, rows, pool)
    write(TABLE, rows, pool)


def compute(entry: PoolEntry) -> Truth:
    """Return the truth of one entry, without its framework's offset."""
    cells = (entry.structure, host_of(entry))
    lithiated, host = (_equilibrium(cell) for cell in cells)
    volts = voltage(cells, [lithiated.energy, host.energy], lithium_energy(_model()))
    shrinkage = cells[1].volume * host.scale**3 / (cells[0].volume * lithiated.scale**3)
    return Truth(
        id=entry.id,
        structure_key=structure_key(cells[0]),
        host_key=structure_key(cells[1]),
        computed_voltage_V=round(volts, 6),
        volume_A3_per_atom=round(cells[0].volume * lithiated.scale**3 / len(cells[0]), 6),
        volume_change=round(shrinkage - 1, 6),
        energy_eV_per_atom=round(lithiated.energy, 6),
    )


def offsets(rows: Sequence[Truth], pool: Pool) -> dict[str, float]:
    """Return framework to the mean of measured less computed voltage, V, over its entries in ``MEASURED``."""
    errors: dict[str, list[float]] = {}
    for row in rows:
        if row.id in MEASURED:
            errors.setdefault(_framework(pool[row.id]), []).append(MEASURED[row.id] - row.computed_voltage_V)
    return {framework: fmean(values) for framework, values in errors.items()}


def read(path: Path) -> list[Truth]:
    """Return the rows of a table; none if there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [_row(record) for record in csv.DictReader(file)]


def write(path: Path, rows: Sequence[Truth], pool: Pool) -> None:
    """Write rows in the order of the pool, each with its voltage moved by its framework's offset, all or nothing."""
    shifts = offsets(rows, pool)
    order = {name: place for place, name in enumerate(pool.ids)}
    fresh = path.with_suffix(".new")
    with fresh.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ("id", "voltage_V", *Truth.__slots__[1:]), lineterminator="\n")
        table.writeheader()
        for row in sorted(rows, key=lambda row: order[row.id]):
            volts = row.computed_voltage_V + shifts.get(_framework(pool[row.id]), 0.0)
            table.writerow({"voltage_V": round(volts, 6)} | {name: getattr(row, name) for name in Truth.__slots__})
    fresh.replace(path)


def _row(record: Mapping[str, str]) -> Truth:
    texts = ("id", "structure_key", "host_key")
    return Truth(**{name: record[name] if name in texts else float(record[name]) for name in Truth.__slots__})  # type: ignore[arg-type]


def _is_current(row: Truth, entry: PoolEntry) -> bool:
    return (row.structure_key, row.host_key) == (structure_key(entry.structure), structure_key(host_of(entry)))


def _known_first(pool: Pool) -> list[PoolEntry]:
    """Return the measured entries, then the others, so that even a table cut short has its offsets."""
    return sorted(pool.entries, key=lambda entry: entry.id not in MEASURED)


def _framework(entry: PoolEntry) -> str:
    return entry.provenance["family"]


def _equilibrium(cell: Structure) -> Equilibrium:
    return relax_volume(cell, lambda cell: float(_model().evaluate([cell]).energy[0]), EVALUATIONS)


@cache
def _model() -> ChgnetModel:
    return ChgnetModel("r2scan")


if __name__ == "__main__":
    main()
