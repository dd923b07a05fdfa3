"""What the virtual world knows of each substance, and what follows from its composition."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from pymatgen.core import Composition, Element, Structure

from campaigns.errors import LabError
from instruments.analyses.reference_phases import reference_structure
from simulators.redox import STEPS, share_charge

TRUTH = Path(__file__).with_name("cathode_truth.csv")
FARADAY = 26801.4814  # mAh/mol
HOP = (
    4.0  # Å; the longest lithium jump of a connected path: 2.8 layered, 3.0 olivine, 3.6 to 3.8 spinel; 4.7 across them
)
POLYANIONS = {"P": "phosphate", "S": "sulfate", "Si": "silicate", "Ge": "germanate", "B": "borate", "C": "carbonate"}
ANIONS = {"O": -2, "F": -1, "Cl": -1, "Br": -1, "I": -1, "N": -3, "S": -2}


class Entry(Protocol):
    """What is needed of a pool's entry."""

    @property
    def id(self) -> str:
        """Stable name."""

    @property
    def structure(self) -> Structure:
        """Lithiated crystal."""

    @property
    def host(self) -> Structure | None:
        """The same crystal without the lithium that can be taken out; None in a pool that holds no electrodes."""


@dataclass(frozen=True, slots=True)
class Chemistry:
    """What a furnace needs to know of a compound.

    Attributes:
        family: oxide, fluoride, sulfide, or the polyanion's name.
        metals: cations other than lithium and polyanion centres, to their share; sums to 1 unless empty.
        states: the same metals to their mean oxidation state.
        lithium: lithium atoms per metal atom.
        centres: polyanion centre, or F, to atoms per metal atom.
    """

    family: str
    metals: Mapping[str, float]
    states: Mapping[str, float]
    lithium: float
    centres: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Material:
    """A substance of the virtual world.

    Attributes:
        id: name in the pool.
        structure: lithiated crystal.
        host_capacity: charge of all lithium that can be taken out [mAh/g of lithiated material].
        voltage: true mean voltage against lithium [V].
        two_phase: whether it discharges on a plateau, as olivines do, rather than along a slope.
    """

    id: str
    structure: Structure
    host_capacity: float
    voltage: float
    two_phase: bool

    @cached_property
    def chemistry(self) -> Chemistry:
        """Metals, oxidation states and family, from the composition."""
        return chemistry(self.structure.composition)

    @cached_property
    def dimension(self) -> int:
        """Number of directions, 0 to 3, in which lithium can travel by short jumps."""
        return lithium_dimension(self.structure)


def cathode_materials(entries: Iterable[Entry], truth: Path = TRUTH) -> dict[str, Material]:
    """Join pool entries with the table of true voltages.

    Args:
        entries: the pool.
        truth: CSV file with at least the columns ``id`` and ``voltage_V``.

    Raises:
        LabError: an entry has no host, is missing from the table, or its voltage there is no finite number.
    """
    with truth.open(newline="", encoding="utf-8") as file:
        voltages = {row["id"]: row["voltage_V"] for row in csv.DictReader(file)}
    return {entry.id: _material(entry, voltages.get(entry.id), truth) for entry in entries}


def nickel_rich() -> Material:
    """Return LiNi0.8Mn0.1Co0.1O2, the material of campaigns that have no pool.

    Mean voltage 3.85 V over the whole range of lithium: Noh, Youn, Yoon, Sun, J. Power Sources 233, 121 (2013).
    """
    structure = reference_structure("LiNi0.8Mn0.1Co0.1O2")
    host = structure.copy()
    host.remove_species(["Li"])
    return Material("LiNi0.8Mn0.1Co0.1O2", structure, theoretical_capacity(structure, host), 3.85, two_phase=False)


def theoretical_capacity(structure: Structure, host: Structure) -> float:
    """Return the charge [mAh/g] of the lithium that ``structure`` has and ``host``, the same cell, has not."""
    lithium = float(structure.composition["Li"] - host.composition["Li"])
    return FARADAY * lithium / float(structure.composition.weight)


def chemistry(composition: Composition) -> Chemistry:
    """Return what follows from a composition by charge balance (see ``simulators.redox``)."""
    amounts = {str(symbol): float(amount) for symbol, amount in composition.get_el_amt_dict().items()}
    centres = {e: n for e, n in amounts.items() if e == "F" or (e in POLYANIONS and "O" in amounts)}
    metals = {e: n for e, n in amounts.items() if e != "Li" and e not in centres and e not in ANIONS}
    total = sum(metals.values()) or 1.0
    return Chemistry(
        family=_family(amounts),
        metals={e: n / total for e, n in metals.items()},
        states=_states(amounts, centres, metals),
        lithium=amounts.get("Li", 0.0) / total,
        centres={e: n / total for e, n in centres.items()},
    )


def lithium_dimension(structure: Structure) -> int:
    """Return the number of directions, 0 to 3, in which jumps between lithium sites lead through the crystal.

    The dimension of the paths rules diffusion (Van der Ven, Bhattacharya, Belak, Acc. Chem. Res. 46, 1216, 2013). A
    walk over the sites gives each a cell offset; every jump that disagrees with it closes a loop through the crystal.
    """
    sites = [i for i, site in enumerate(structure) if "Li" in {e.symbol for e in site.species.elements}]
    if not sites:
        return 0
    lithium = Structure.from_sites([structure[i] for i in sites])
    starts, ends, images, _ = lithium.get_neighbor_list(HOP)
    return _rank(len(sites), list(zip(starts.tolist(), ends.tolist(), images.astype(int), strict=True)))


def _rank(size: int, edges: list[tuple[int, int, np.ndarray]]) -> int:
    best = 0
    unseen = set(range(size))
    while unseen:
        root = min(unseen)
        offset = {root: np.zeros(3, dtype=int)}
        queue = [root]
        for node in queue:
            fresh = [(b, offset[node] + image) for a, b, image in edges if a == node]
            for neighbour, place in fresh:
                if neighbour not in offset:
                    offset[neighbour] = place
                    queue.append(neighbour)
        loops = [offset[a] + image - offset[b] for a, b, image in edges if a in offset]
        best = max(best, int(np.linalg.matrix_rank(np.array(loops))) if loops else 0)
        unseen -= set(offset)
    return best


def _material(entry: Entry, voltage: str | None, truth: Path) -> Material:
    if voltage is None:
        raise LabError(
            f"{truth.name} has no row for {entry.id!r}; the virtual lab can make only what is in that table: name "
            "'function: surrogates.pools.prototypes:cathodes', or stations of your own (kind: device)"
        )
    if entry.host is None:
        raise LabError(f"{entry.id!r} has no delithiated host; the virtual lab makes electrodes only")
    volts = float(voltage)
    if not math.isfinite(volts):
        raise LabError(f"{truth.name}: voltage_V of {entry.id!r} is {voltage}; allowed: a finite number [V]")
    plateau = _family({str(e): 1.0 for e in entry.structure.composition.get_el_amt_dict()}) in POLYANIONS.values()
    capacity = theoretical_capacity(entry.structure, entry.host)
    return Material(entry.id, entry.structure, capacity, volts, two_phase=plateau)


def _family(amounts: Mapping[str, float]) -> str:
    if "O" not in amounts:
        return "sulfide" if "S" in amounts else "fluoride"
    return next((name for element, name in POLYANIONS.items() if element in amounts), "oxide")


def _states(
    amounts: Mapping[str, float], centres: Mapping[str, float], metals: Mapping[str, float]
) -> dict[str, float]:
    fixed = {e: _fixed_state(e) for e in amounts if e not in STEPS}
    fixed |= {e: float(charge) for e, charge in ANIONS.items() if e not in centres or e == "F"}
    charge = -sum(n * fixed[e] for e, n in amounts.items() if e not in STEPS)
    shared = share_charge({e: n for e, n in metals.items() if e in STEPS}, charge)
    return {e: shared.get(e, fixed.get(e, 0.0)) for e in metals}


def _fixed_state(element: str) -> float:
    states = Element(element).common_oxidation_states
    return float(max(states)) if states else 0.0
