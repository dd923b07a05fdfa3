"""CHGNet as an embedder agrees with stock CHGNet, depends on nothing else, is quiet, and says what it cannot do."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, cast

import numpy as np
import pytest
import torch
from chgnet.model import CHGNet
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from campaigns.errors import ModelError
from surrogates.features.chgnet_model import ChgnetModel
from surrogates.parallel.processes import map_in_processes
from tests.space_groups import crystal_of

pytestmark = pytest.mark.filterwarnings(
    "ignore:Converting a tensor with requires_grad=True:UserWarning"  # stock CHGNet outside of inference mode
)

ChgnetWeights = Literal["0.3.0", "r2scan", "0.2.0"]
ALL_WEIGHTS = pytest.mark.parametrize("weights", ["0.3.0", "r2scan", "0.2.0"])
STOCK: dict[str, CHGNet] = {}


def layered(metal: str = "Co", a: float = 2.816) -> Structure:
    sites = [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.26]]
    return crystal_of("R-3m", Lattice.hexagonal(a, 14.05), ["Li", metal, "O"], sites)


def rock_salt() -> Structure:
    return crystal_of("Fm-3m", Lattice.cubic(4.21), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def solid_xenon() -> Structure:
    return Structure(Lattice.from_parameters(4.4, 4.4, 4.4, 60, 60, 60), ["Xe"], [[0, 0, 0]])


def dimers() -> Structure:
    """Return a crystal with one bond below 3 Å, and so without angles."""
    return Structure(Lattice.cubic(5.5), ["Na", "Cl"], [[0, 0, 0], [0.4, 0, 0]])


def chain() -> Structure:
    """Return a cell far smaller than the cutoff."""
    return Structure(Lattice.orthorhombic(2.2, 3.5, 7.0), ["Na"], [[0.3, 0.1, 0.9]])


def outside() -> Structure:
    """Return a crystal whose sites are written outside of the cell."""
    return Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[-2.0, 1.0, 3.0], [7.5, -0.5, 0.5]])


def stock(structure: Structure, weights: ChgnetWeights = "0.3.0") -> tuple[float, np.ndarray]:
    """Return energy and vector as CHGNet's own code gives them."""
    if weights not in STOCK:
        STOCK[weights] = CHGNet.load(model_name=weights, use_device="cpu", verbose=False)
    said = STOCK[weights].predict_structure(structure, task="e", return_crystal_feas=True)
    return float(said["e"]), said["crystal_fea"] / len(structure)


def assert_agrees(structure: Structure, weights: ChgnetWeights = "0.3.0") -> None:
    """Compare within 1e-4: stock's single precision is itself off by nearly as much in cells that do not exist."""
    ours = ChgnetModel(weights).evaluate([structure])
    energy, vector = stock(structure, weights)
    assert ours.energy[0] == pytest.approx(energy, rel=1e-4, abs=1e-4)
    np.testing.assert_allclose(ours.vectors[0], vector, rtol=0, atol=1e-4 * np.abs(vector).max())


@ALL_WEIGHTS
@pytest.mark.parametrize("crystal", [layered, rock_salt, solid_xenon, dimers, chain, outside])
def test_agrees_with_stock_chgnet(crystal: Callable[[], Structure], weights: ChgnetWeights) -> None:
    assert_agrees(crystal(), weights)


def test_agrees_with_stock_chgnet_to_six_digits_where_single_precision_has_them() -> None:
    ours = ChgnetModel().evaluate([layered()])
    energy, vector = stock(layered())
    assert ours.energy[0] == pytest.approx(energy, rel=1e-6)
    np.testing.assert_allclose(ours.vectors[0], vector, rtol=0, atol=2e-6)


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.sampled_from(["H", "Li", "O", "Si", "Fe", "La", "Pb", "Pu"]), min_size=1, max_size=6),
    st.tuples(*[st.floats(2.5, 5.9)] * 3),
    st.tuples(*[st.floats(55, 125)] * 3),
    st.integers(0, 2**32 - 1),
)
def test_agrees_with_stock_chgnet_on_cells_without_symmetry(
    species: list[str], lengths: tuple[float, float, float], angles: tuple[float, float, float], seed: int
) -> None:
    shape = np.cos(np.radians(angles))
    assume(1 - (shape**2).sum() + 2 * shape.prod() > 0.05)  # else there is no such cell, or a flat one
    lattice = Lattice.from_parameters(*lengths, *angles)
    crystal = Structure(lattice, species, np.random.default_rng(seed).random((len(species), 3)))
    assume(crystal.is_valid(tol=0.7) and crystal.volume > 5 * len(crystal))
    assert_agrees(crystal)


def test_vector_is_the_mean_of_the_normalised_atom_features() -> None:
    network = CHGNet.load(use_device="cpu", verbose=False)
    seen = []
    network.readout_norm.register_forward_hook(lambda _module, _inputs, output: seen.append(output.detach().numpy()))
    network.predict_structure(layered(), task="e")
    np.testing.assert_allclose(ChgnetModel().evaluate([layered()]).vectors[0], seen[0].mean(axis=0), atol=2e-5)


def test_value_does_not_depend_on_what_else_is_evaluated_nor_on_threads() -> None:
    alone = ChgnetModel().evaluate([layered()])
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        together = ChgnetModel().evaluate([rock_salt() * (2, 2, 2), layered(), solid_xenon(), layered()])
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    for place in (1, 3):
        assert together.energy[place] == alone.energy[0]
        assert np.array_equal(together.vectors[place], alone.vectors[0])


@pytest.mark.slow
def test_threads_do_not_disturb_each_other() -> None:
    pool = [layered(a=2.8 + 0.01 * i) for i in range(4)] + [rock_salt()]
    here = ChgnetModel().evaluate(pool)
    with ThreadPoolExecutor(2) as threads:
        there = list(threads.map(lambda _: ChgnetModel().evaluate(pool), range(4)))
    for each in there:
        assert np.array_equal(each.energy, here.energy)
        assert np.array_equal(each.vectors, here.vectors)


@pytest.mark.slow
def test_worker_processes_give_the_same_bits() -> None:
    pool = [layered(a=2.8 + 0.01 * i) for i in range(6)]
    here = ChgnetModel().evaluate(pool)
    there = dict(map_in_processes(ChgnetModel().evaluate, [pool[:3], pool[3:]], 2))
    assert np.array_equal(np.concatenate([there[0].energy, there[1].energy]), here.energy)
    assert np.array_equal(np.concatenate([there[0].vectors, there[1].vectors]), here.vectors)


def test_denormal_numbers_are_left_as_they_were() -> None:
    for flushed in (True, False):
        torch.set_flush_denormal(flushed)
        ChgnetModel().evaluate([rock_salt()])
        assert (float(torch.tensor(1e-39) * 1.0) == 0.0) is flushed


def test_versions_of_weights_differ() -> None:
    models = [ChgnetModel("0.3.0"), ChgnetModel("r2scan"), ChgnetModel("0.2.0")]
    assert len({model.name for model in models}) == 3
    assert len({model.version for model in models}) == 3


@pytest.mark.slow
def test_nothing_is_printed() -> None:
    code = "from surrogates.features.chgnet_model import ChgnetModel, _network; _network('0.3.0')"
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    assert ended.stderr == ""


def test_unknown_weights_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"no weights '0\.9\.9'; allowed: 0\.2\.0, 0\.3\.0, r2scan"):
        ChgnetModel(cast(ChgnetWeights, "0.9.9"))


@pytest.mark.parametrize(
    ("crystal", "message"),
    [
        (Structure(Lattice.cubic(30), ["Cu"], [[0, 0, 0]]), "evaluate Cu1 .*without a neighbour within 6 Å: 1"),
        (Structure(Lattice.cubic(4), ["Cu", "H"], [[0, 0, 0], [0, 0, 0]]), "same place"),
        (Structure(Lattice.cubic(4), ["Am"], [[0, 0, 0]]), "evaluate Am1 .atomic numbers .95.; known are 1 to 94"),
        (Structure(Lattice.cubic(3), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]]), "share a site"),
    ],
)
def test_what_cannot_be_represented_is_refused_by_formula(crystal: Callable[[], Structure], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ChgnetModel().evaluate([rock_salt(), crystal])
