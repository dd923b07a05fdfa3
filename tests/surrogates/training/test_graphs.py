"""A batch gives what matgl gives for each structure alone."""

from typing import Any

import numpy as np
import pytest
import torch

from campaigns.errors import ModelError
from surrogates.training.networks import GraphMaker, lend_embeddings, nearest, new_network, rescale
from surrogates.training.record import Kind
from surrogates.training.training_loop import values_of
from tests.trained import salt, salts

KINDS = ["megnet", "m3gnet", "tensornet"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_what_matgl_gives_for_each_structure(kind: Kind) -> None:
    network: Any = new_network(kind, 0)
    structures = salts(5)
    together = values_of(network, [GraphMaker(network)(structure) for structure in structures])
    alone = [float(network.eval().predict_structure(structure)) for structure in structures]
    assert together.tolist() == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_determines_the_first_weights_and_disturbs_no_other_random_numbers(kind: Kind) -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, two, other = new_network(kind, 0), new_network(kind, 0), new_network(kind, 1)
    assert torch.rand(1) == expected
    states = [torch.cat([p.detach().flatten() for p in network.parameters()]) for network in (one, two, other)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize("kind", KINDS)
def test_rescaling_is_exact(kind: Kind) -> None:
    network: Any = new_network(kind, 0)
    before = float(network.eval().predict_structure(salts(1)[0]))
    rescale(network, 3.0, -2.0)
    assert float(network.predict_structure(salts(1)[0])) == pytest.approx(3 * before - 2, abs=1e-5)


def test_a_structure_without_bonds_or_with_a_strange_element_is_refused() -> None:
    maker = GraphMaker(new_network("megnet", 0))
    with pytest.raises(ModelError, match="no two atoms are closer than 4"):
        maker(salt("Li", "F", 20.0))
    with pytest.raises(ModelError, match="no place for Po"):
        maker(salt("Na", "Po", 5.0))


def test_an_unseen_element_looks_like_its_neighbour_on_pettifors_scale() -> None:
    assert nearest("F", ["N", "O", "S"]) == "O"
    assert nearest("Br", ["O", "F", "Cl", "I"]) in ("Cl", "I")
    network: Any = new_network("megnet", 0)
    structure, stranger = salt("Mg", "O", 4.2), salt("Mg", "F", 4.2)
    values = [float(network.eval().predict_structure(each)) for each in (structure, stranger)]
    lend_embeddings(network, ["Mg", "O"])
    assert float(network.predict_structure(structure)) == values[0], "what was learnt stays"
    assert float(network.predict_structure(stranger)) == pytest.approx(values[0], abs=1e-6)
    assert not np.isclose(values[0], values[1])
