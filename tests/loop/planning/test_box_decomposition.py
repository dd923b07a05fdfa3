from itertools import product

import pytest
import torch
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.multi_objective.pareto import is_non_dominated
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from loop.core.pareto import hypervolume
from loop.planning.box_decomposition import NondominatedBoxes, gains

AXES = (2, 3, 4)


def random(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def theirs(points: Tensor, reference: Tensor) -> float:
    return float(Hypervolume(reference).compute(points[is_non_dominated(points)]))


def listed(points: Tensor) -> list[tuple[float, ...]]:
    return [tuple(p) for p in points.tolist()]


@pytest.mark.parametrize("axes", AXES)
def test_gains_are_the_differences_of_botorchs_hypervolumes(axes: int) -> None:
    front, points = random(axes, 3, 9, axes), 1.3 * random(axes + 10, 3, 6, axes) - 0.15
    reference = torch.full((axes,), 0.1, dtype=torch.float64)
    found = gains(front, points, reference)
    for sample, place in product(range(3), range(6)):
        more = torch.cat([front[sample], points[sample, place : place + 1]])
        expected = theirs(more, reference) - theirs(front[sample], reference)
        assert float(found[sample, place]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("axes", AXES)
def test_the_volume_of_records_is_botorchs(axes: int) -> None:
    for seed in range(5):
        points, reference = random(seed, 12, axes), 0.2 * random(seed + 50, axes)
        assert hypervolume(listed(points), tuple(reference.tolist())) == pytest.approx(theirs(points, reference))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda m: st.lists(st.tuples(*[st.integers(-1, 4)] * m), min_size=1, max_size=6).filter(bool)
    )
)
def test_volumes_of_points_on_a_lattice_are_numbers_of_cells_even_with_ties(points: list[tuple[int, ...]]) -> None:
    axes = len(points[0])
    cells = sum(any(all(x > c for x, c in zip(p, cell, strict=True)) for p in points) for cell in product(
        range(4), repeat=axes
    ))  # fmt: skip
    floats = [tuple(map(float, p)) for p in points]
    assert hypervolume(floats, (0.0,) * axes) == pytest.approx(cells)
    front, zero = torch.tensor([floats], dtype=torch.float64), torch.zeros(axes, dtype=torch.float64)
    top = torch.full((1, 1, axes), 4.0, dtype=torch.float64)
    assert float(gains(front, top, zero)) == pytest.approx(4.0**axes - cells)


@pytest.mark.parametrize("axes", AXES)
def test_without_a_front_a_point_gains_its_whole_box(axes: int) -> None:
    points, zero = random(1, 2, 5, axes), torch.zeros(axes, dtype=torch.float64)
    empty = torch.zeros(2, 0, axes, dtype=torch.float64)
    torch.testing.assert_close(gains(empty, points, zero), points.prod(dim=-1))
    torch.testing.assert_close(
        NondominatedBoxes.above(zero, empty).volume(3.0 * points), 3.0**axes * points.prod(dim=-1)
    )
