"""Trees that grow together are the extremely randomised trees of others."""

import numpy as np
import pytest
from sklearn.tree import ExtraTreeRegressor

from surrogates.models.trees import Inputs, Numbers, Trees, grow

TREES = 24


def world(count: int, seed: int, columns: int = 3) -> tuple[Inputs, Numbers, Numbers]:
    """Return measurements with a cliff, and how often each tree sees each."""
    rng = np.random.default_rng(seed)
    inputs = rng.random((count, columns)).astype(np.float32)
    counts = rng.multinomial(count, np.full(count, 1.0 / count), TREES).astype(float)
    return inputs, truth(inputs), counts


def truth(inputs: Inputs) -> Numbers:
    return np.asarray(np.sin(7.0 * inputs).mean(axis=1) + (inputs[:, 0] > 0.5), dtype=np.float64)


@pytest.mark.parametrize("count", [2, 5, 40])
def test_a_tree_knows_what_it_has_seen(count: int) -> None:
    inputs, values, counts = world(count, seed=0)
    said = grow(inputs, values, counts, seed=1).outputs(inputs)
    np.testing.assert_allclose(said[counts > 0], np.broadcast_to(values, counts.shape)[counts > 0])


def test_trees_are_as_large_and_as_good_as_those_of_scikit_learn() -> None:
    ours, theirs = [], []
    for seed in range(12):
        inputs, values, counts = world(60, seed)
        fresh = np.random.default_rng(100 + seed).random((300, 3)).astype(np.float32)
        trees = grow(inputs, values, counts, seed)
        others = [ExtraTreeRegressor(random_state=i).fit(inputs, values, c).tree_ for i, c in enumerate(counts)]
        assert len(trees.nodes.values) == sum(tree.node_count for tree in others)
        ours.append(error(trees.outputs(fresh), fresh))
        theirs.append(error(np.stack([tree.predict(fresh)[:, 0] for tree in others]), fresh))
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.05)


def error(said: Numbers, inputs: Inputs) -> float:
    return float(np.square(said.mean(axis=0) - truth(inputs)).mean())


def test_columns_that_say_the_same_are_used_alike() -> None:
    inputs, _, counts = world(200, seed=0, columns=1)
    twins = np.repeat(inputs > 0.5, 2, axis=1).astype(np.float32)
    trees = grow(twins, (inputs[:, 0] > 0.5).astype(float), counts, seed=1)
    roots = trees.nodes.columns[trees.roots]
    assert 0.2 < roots.mean() < 0.8


def test_equal_measurements_make_a_leaf() -> None:
    inputs, _, counts = world(20, seed=0)
    trees = grow(inputs, np.full(20, 3.0), counts, seed=1)
    assert len(trees.nodes.values) == TREES
    assert (trees.outputs(inputs) == 3.0).all()


def test_what_cannot_be_told_apart_is_averaged() -> None:
    inputs = np.zeros((3, 2), dtype=np.float32)
    trees = grow(inputs, np.array([1.0, 2.0, 6.0]), np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 1.0]]), seed=1)
    np.testing.assert_allclose(trees.outputs(inputs)[:, 0], [3.0, 8.0 / 3.0])


def test_many_measurements_are_grown_in_parts() -> None:
    inputs, values, counts = world(1000, seed=0, columns=60)
    trees = grow(inputs, values, counts, seed=1)
    assert TREES * inputs.size > 1_000_000  # or they are not
    said = trees.outputs(inputs)
    np.testing.assert_allclose(said[counts > 0], np.broadcast_to(values, counts.shape)[counts > 0])


def test_no_rows_are_no_answers() -> None:
    trees: Trees = grow(*world(5, seed=0), seed=1)
    assert trees.outputs(np.empty((0, 3), dtype=np.float32)).shape == (TREES, 0)
