"""Training keeps the best weights, is repeatable, and heeds weights of rows."""

from typing import Any

import pytest
import torch

from campaigns.errors import ModelError
from surrogates.training.networks import GraphMaker, new_network
from surrogates.training.training_loop import Samples, Schedule, error_of, train_network, values_of
from tests.trained import heats, salts


def samples(targets: Any, weights: Any = None) -> Samples:
    maker = GraphMaker(new_network("megnet", 0))
    graphs = [maker(structure) for structure in salts(len(targets))]
    scaled = torch.as_tensor(targets, dtype=torch.float32)
    return Samples(graphs, scaled, torch.ones(len(scaled)) if weights is None else torch.as_tensor(weights))


@pytest.fixture(scope="module")
def data() -> Samples:
    values = heats(salts(24))
    return samples((values - values.mean()) / values.std())


@pytest.mark.slow
def test_the_weights_of_the_best_epoch_are_kept(data: Samples) -> None:
    network = new_network("megnet", 0)
    steps = train_network(network, data, data, Schedule(6, 6, 0))
    assert error_of(network, data) == pytest.approx(min(step.validation for step in steps))
    best = [step.validation for step in steps if step.best]
    assert best == sorted(best, reverse=True)


@pytest.mark.slow
def test_training_makes_the_error_smaller(data: Samples) -> None:
    network = new_network("megnet", 0)
    before = error_of(network, data)
    train_network(network, data, data, Schedule(12, 12, 0))
    assert error_of(network, data) < 0.7 * before


@pytest.mark.slow
def test_the_same_training_gives_the_same_weights(data: Samples) -> None:
    one, two = new_network("megnet", 0), new_network("megnet", 0)
    assert train_network(one, data, data, Schedule(3, 3, 5)) == train_network(two, data, data, Schedule(3, 3, 5))
    assert torch.equal(values_of(one, data.graphs), values_of(two, data.graphs))


@pytest.mark.slow
def test_a_batch_that_memory_has_no_room_for_is_learnt_in_parts_alike(
    data: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = new_network("megnet", 0), new_network("megnet", 0)
    steps = train_network(whole, data, data, Schedule(2, 2, 0))
    monkeypatch.setattr("surrogates.training.training_loop._BONDS", 100)
    again = train_network(parts, data, data, Schedule(2, 2, 0))
    assert [step.validation for step in again] == pytest.approx([step.validation for step in steps], rel=1e-3)


def test_it_stops_when_nothing_gets_better_and_keeps_the_first_weights(data: Samples) -> None:
    network = new_network("megnet", 0)
    first = values_of(network, data.graphs)
    steps = train_network(network, data, Samples(data.graphs, first, data.weights), Schedule(50, 2, 0))
    assert len(steps) == 2
    assert torch.equal(values_of(network, data.graphs), first)


@pytest.mark.slow
def test_rows_without_weight_are_not_learnt_from() -> None:
    values = torch.tensor([1.0] * 6 + [50.0] * 6)
    network = new_network("megnet", 0)
    train_network(
        network, samples(values, [1.0] * 6 + [0.0] * 6), samples(values, [1.0] * 6 + [0.0] * 6), Schedule(10, 10, 0)
    )
    said = values_of(network, samples(values).graphs)
    assert said.max() < 10


def test_a_training_that_diverges_is_an_error() -> None:
    with pytest.raises(ModelError, match="the training diverged"):
        train_network(new_network("megnet", 0), samples([1.0, float("inf")] * 4), samples([0.0] * 8), Schedule(3, 3, 0))
