"""CHGNet as an embedder agrees with stock CHGNet and is deterministic and quiet."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from chgnet.model import CHGNet
from pymatgen.core import Lattice, Structure

from campaigns.errors import ModelError
from surrogates.features import embeddings
from surrogates.features.chgnet_model import ChgnetModel
from surrogates.features.embeddings import embed

pytestmark = pytest.mark.filterwarnings(
    "ignore:Converting a tensor with requires_grad=True:UserWarning"  # stock CHGNet outside of inference mode
)


def layered(metal: str = "Co", a: float = 2.816) -> Structure:
    sites = [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.26]]
    return Structure.from_spacegroup("R-3m", Lattice.hexagonal(a, 14.05), ["Li", metal, "O"], sites)


def rock_salt() -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.21), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize("weights", ["0.3.0", "r2scan", "0.2.0"])
def test_agrees_with_stock_chgnet(weights):
    structures = [layered(), rock_salt(), layered("Ni", 2.88)]
    ours = ChgnetModel(weights).evaluate(structures)
    stock = CHGNet.load(model_name=weights, use_device="cpu", verbose=False)
    theirs = stock.predict_structure(structures, task="e", return_crystal_feas=True)
    np.testing.assert_allclose(ours.energy, [float(one["e"]) for one in theirs], atol=1e-5)
    sums = [one["crystal_fea"] / len(each) for one, each in zip(theirs, structures, strict=True)]
    np.testing.assert_allclose(ours.vectors, sums, atol=1e-5)
    assert ours.vectors.shape == (3, 64)


def test_vector_is_the_mean_of_the_normalised_atom_features():
    network = CHGNet.load(use_device="cpu", verbose=False)
    seen = []
    network.readout_norm.register_forward_hook(lambda _module, _inputs, output: seen.append(output.detach().numpy()))
    network.predict_structure(layered(), task="e")
    np.testing.assert_allclose(ChgnetModel().evaluate([layered()]).vectors[0], seen[0].mean(axis=0), atol=1e-5)


def test_value_does_not_depend_on_what_else_is_evaluated_nor_on_threads():
    alone = ChgnetModel().evaluate([layered()])
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        together = ChgnetModel().evaluate([rock_salt(), layered()])
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert together.energy[1] == alone.energy[0]
    assert np.array_equal(together.vectors[1], alone.vectors[0])


def test_worker_processes_give_the_same_bits(tmp_path, monkeypatch):
    pool = [layered(a=2.8 + 0.001 * i) for i in range(40)]
    here = ChgnetModel().evaluate(pool)
    monkeypatch.setattr(embeddings, "_WORTH_A_WORKER", 16)
    monkeypatch.setattr(embeddings, "_cores", lambda: 2)
    there = embed(pool, ChgnetModel(), tmp_path)
    assert np.array_equal(there.energy, here.energy)
    assert np.array_equal(there.vectors, here.vectors)


def test_versions_of_weights_differ():
    models = [ChgnetModel("0.3.0"), ChgnetModel("r2scan"), ChgnetModel("0.2.0")]
    assert len({model.name for model in models}) == 3
    assert len({model.version for model in models}) == 3


def test_nothing_is_printed():
    code = "from surrogates.features.chgnet_model import ChgnetModel, _network; _network('0.3.0')"
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    assert ended.stderr == ""


def test_unknown_weights_are_refused_by_name():
    with pytest.raises(ModelError, match=r"no weights '0\.9\.9'; allowed: 0\.2\.0, 0\.3\.0, r2scan"):
        ChgnetModel("0.9.9")


def test_structure_with_isolated_atoms_is_refused_by_formula():
    lonely = Structure(Lattice.cubic(30), ["Cu"], [[0, 0, 0]])
    with pytest.raises(ModelError, match="cannot evaluate Cu1"):
        ChgnetModel().evaluate([lonely])
