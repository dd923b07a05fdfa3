"""The virtual world behind the virtual instruments: what a furnace, a diffractometer and a cycler would really see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from campaigns.errors import LabError
from campaigns.values import Scalar
from simulators.diffraction_pattern import diffract
from simulators.half_cell import discharge
from simulators.materials import Material, nickel_rich
from simulators.synthesis import Sample, synthesise

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class CathodePhysics:
    """Make and measure cathode materials; deterministic for a given generator state.

    Attributes:
        materials: pool id to what is true of that material.
        unpooled: the material that is meant when a trial names none.
    """

    materials: Mapping[str, Material]
    unpooled: Material = field(default_factory=nickel_rich)

    def synthesise(self, material: str | None, recipe: Mapping[str, Scalar], rng: np.random.Generator) -> Sample:
        """Return the powder that ``recipe`` (see ``simulators.synthesis.synthesise``) makes.

        Raises:
            LabError: the material is unknown or the recipe cannot be read.
        """
        return replace(synthesise(self.material(material), recipe, rng), material=material)

    def diffract(self, sample: Sample, recipe: Mapping[str, Scalar], rng: np.random.Generator) -> Curve:
        """Return two_theta [deg] and raw counts for ``recipe`` (count_time [s] per point).

        Raises:
            LabError: the material is unknown or the recipe cannot be read.
        """
        return diffract(self.material(sample.material), sample, recipe, rng)

    def discharge(self, sample: Sample, recipe: Mapping[str, Scalar], rng: np.random.Generator) -> Curve:
        """Return capacity [mAh/g] and voltage [V] of the discharge at ``recipe`` (c_rate [1/h]).

        Raises:
            LabError: the material is unknown or the recipe cannot be read.
        """
        return discharge(self.material(sample.material), sample, recipe, rng)

    def material(self, name: str | None) -> Material:
        """Return what is true of a pool id; None means the material of a campaign without a pool.

        Raises:
            LabError: the id is unknown.
        """
        if name is None:
            return self.unpooled
        if name not in self.materials:
            raise LabError(f"no virtual material {name!r}; got {len(self.materials)} others; check the campaign's pool")
        return self.materials[name]
