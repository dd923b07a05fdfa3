"""Voltages follow from energies, agree with experiment for known cathodes, and refuse pairs that make no sense."""

from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from campaigns.errors import ModelError
from surrogates.features.chgnet_model import ChgnetModel
from surrogates.pools.pool import Pool, PoolEntry
from surrogates.predictors.voltage import chgnet_voltage, host_of, lithium_energy, voltage
from tests.space_groups import crystal_of


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path))


def lco() -> Structure:
    sites = [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.26]]
    return crystal_of("R-3m", Lattice.hexagonal(2.816, 14.05), ["Li", "Co", "O"], sites)


def lfp() -> Structure:
    sites = [[0, 0, 0], [0.2822, 0.25, 0.9747], [0.0948, 0.25, 0.4184], [0.0968, 0.25, 0.7428], [0.4573, 0.25, 0.2058]]
    species = ["Li", "Fe", "P", "O", "O", "O"]
    lattice = Lattice.orthorhombic(10.332, 6.010, 4.692)  # Streltsov et al., Acta Cryst. B 49, 147 (1993)
    return crystal_of("Pnma", lattice, species, [*sites, [0.1656, 0.0464, 0.2849]])


def without_lithium(structure: Structure) -> Structure:
    return structure.copy().remove_species(["Li"])


def entry(structure: Structure) -> PoolEntry:
    return PoolEntry("known", structure, without_lithium(structure))


def test_known_cathodes_have_about_their_known_voltage() -> None:
    pool = Pool(
        "known", (PoolEntry("lco", lco(), without_lithium(lco())), PoolEntry("lfp", lfp(), without_lithium(lfp())))
    )
    assert chgnet_voltage.unit == "V"
    np.testing.assert_allclose(chgnet_voltage(pool), [3.9, 3.45], atol=0.5)


def test_voltage_is_the_energy_set_free_per_lithium() -> None:
    cells = (lco(), without_lithium(lco()))
    assert voltage(cells, [-2.0, -1.0], -1.5) == pytest.approx((2.0 * 12 - 1.0 * 9 - 1.5 * 3) / 3)


def test_voltage_does_not_depend_on_the_size_of_the_cell() -> None:
    pool = Pool("sizes", (PoolEntry("one", lco(), without_lithium(lco())), entry(lco() * (2, 1, 1))))
    small, large = chgnet_voltage(pool)
    assert small == pytest.approx(large, abs=1e-4)


def test_lithium_is_at_its_equilibrium() -> None:
    metal = Structure(Lattice.cubic(3.44), ["Li", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    cells = [metal.copy().scale_lattice(metal.volume * scale) for scale in np.linspace(0.9, 1.1, 41)]
    assert lithium_energy(ChgnetModel()) == pytest.approx(ChgnetModel().evaluate(cells).energy.min(), abs=2e-4)


def test_an_entry_without_host_is_refused() -> None:
    with pytest.raises(ModelError, match="'bare' has no host"):
        host_of(PoolEntry("bare", lco()))


@pytest.mark.parametrize("host", [lco(), without_lithium(lco()) * (2, 1, 1), without_lithium(lfp())])
def test_a_host_that_is_not_the_cell_with_less_lithium_is_refused(host: Structure) -> None:
    with pytest.raises(ModelError, match="differ by the lithium taken out, alone"):
        host_of(PoolEntry("odd", lco(), host))
