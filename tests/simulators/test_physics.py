import numpy as np
import pytest

from campaigns.errors import LabError
from campaigns.values import Scalar
from simulators.physics import CathodePhysics, Curve
from simulators.shared_state import Physics
from simulators.synthesis import Sample
from tests.crystals import lithium_iron_phosphate

RECIPE: dict[str, Scalar] = {"temperature": 700.0, "time": 12.0, "atmosphere": "argon"}


@pytest.fixture
def physics() -> CathodePhysics:
    return CathodePhysics({"LiFePO4": lithium_iron_phosphate()})


def run(physics: Physics, material: str | None, seed: int) -> tuple[Sample, Curve, Curve]:
    rng = np.random.default_rng(seed)
    sample = physics.synthesise(material, RECIPE, rng)
    return sample, physics.diffract(sample, {"count_time": 1.0}, rng), physics.discharge(sample, {"c_rate": 0.1}, rng)


@pytest.mark.parametrize("material", ["LiFePO4", None])
def test_everything_follows_from_the_seed(physics: CathodePhysics, material: str | None) -> None:
    first, again, other = (run(physics, material, seed) for seed in (3, 3, 4))

    assert first[0] == again[0]
    assert first[0] != other[0]
    for curve, same in zip(first[1:], again[1:], strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(curve, same, strict=True))


def test_without_a_material_the_nickel_rich_oxide_is_meant(physics: CathodePhysics) -> None:
    assert run(physics, None, 0)[0].material is None
    assert physics.material(None).id == "LiNi0.8Mn0.1Co0.1O2"


def test_an_unknown_material_is_named(physics: CathodePhysics) -> None:
    with pytest.raises(LabError, match="no virtual material 'LiXO2'"):
        physics.synthesise("LiXO2", RECIPE, np.random.default_rng(0))
