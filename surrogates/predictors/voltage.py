"""Mean intercalation voltage against lithium metal, from the energies of a lithiated cell and its host."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Composition, Lattice, Structure

from campaigns.errors import ModelError
from surrogates.equation_of_state import relax_volume
from surrogates.features.chgnet_model import ChgnetModel
from surrogates.features.embeddings import embed
from surrogates.pools.pool import Pool, PoolEntry, in_unit


@in_unit("V")
def chgnet_voltage(pool: Pool) -> NDArray[np.float64]:
    """Return CHGNet's mean voltage, n, in V against Li/Li+, of the cells as they stand.

    Raises:
        ModelError: an entry has no host, or the host is not the same cell with less lithium.
    """
    model = ChgnetModel("0.3.0")
    pairs = [(entry.structure, host_of(entry)) for entry in pool.entries]
    energies = embed([cell for pair in pairs for cell in pair], model).energy.reshape(-1, 2)
    lithium = lithium_energy(model)
    return np.array(
        [voltage(pair, pair_energies, lithium) for pair, pair_energies in zip(pairs, energies, strict=True)]
    )


def host_of(entry: PoolEntry) -> Structure:
    """Return the delithiated cell of an entry.

    Raises:
        ModelError: there is none, or it is not the same cell with less lithium.
    """
    if entry.host is None:
        raise ModelError(f"pool entry {entry.id!r} has no host, so that it has no voltage; give it a delithiated cell")
    if extracted(entry.structure.composition, entry.host.composition) <= 0:
        cells = f"{entry.structure.composition.formula} and {entry.host.composition.formula}"
        raise ModelError(f"pool entry {entry.id!r}: got {cells}; they must differ by the lithium taken out, alone")
    return entry.host


def extracted(lithiated: Composition, host: Composition) -> float:
    """Return how many lithium atoms the host lacks per cell; 0 if the cells differ in anything else."""
    difference = {element: lithiated[element] - host[element] for element in lithiated.elements + host.elements}
    lithium = sum(count for element, count in difference.items() if element.symbol == "Li")
    others = any(abs(count) > 1e-6 for element, count in difference.items() if element.symbol != "Li")
    return 0.0 if others else float(lithium)


def voltage(
    cells: tuple[Structure, Structure], energies: Sequence[float] | NDArray[np.float64], lithium: float
) -> float:
    """Return the mean voltage in V: Aydinol et al., Phys. Rev. B 56, 1354 (1997), equation 4 without pV and TS.

    Args:
        cells: the lithiated cell and its host.
        energies: of both, in eV/atom.
        lithium: energy of lithium metal in eV/atom.
    """
    lithiated, host = cells
    count = extracted(lithiated.composition, host.composition)
    return float(-(energies[0] * len(lithiated) - energies[1] * len(host) - count * lithium) / count)


@functools.cache
def lithium_energy(model: ChgnetModel) -> float:
    """Return the model's energy of body-centred cubic lithium at the lattice constant that it prefers, in eV/atom."""
    metal = Structure(Lattice.cubic(3.44), ["Li", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return relax_volume(metal, lambda cell: float(model.evaluate([cell]).energy[0]), evaluations=8).energy
