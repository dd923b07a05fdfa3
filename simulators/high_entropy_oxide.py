"""Rock-salt oxides of several metals: from which temperature on they are one phase, and how large their cell is.

Entropy-stabilised oxides (Rost et al., Nat. Commun. 6, 8485, 2015) are one phase above the temperature at which the
entropy of mixing pays for the enthalpy of bringing all metals onto one lattice: T = H / S, with

    S = -R sum x ln x,    H = sum x h + sum over pairs x_i x_j W_ij

h is the enthalpy that takes an oxide from the structure that it has by itself to rock salt (Davies, Navrotsky, J. Solid
State Chem. 38, 264, 1981: ZnO 24.5, CuO 22.2 kJ/mol; the others are rock salt), and W grows with the misfit of the two
oxides' volumes (Davies, Navrotsky, J. Solid State Chem. 46, 1, 1983). MISFIT is set so that the equimolar oxide of Mg,
Co, Ni, Cu and Zn becomes one phase at 875 degC, as Rost et al. found. The edge of the cell is the mean of the oxides'
(Vegard, Z. Phys. 5, 17, 1921).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from campaigns.errors import SampleError
from instruments.built_in import Setting
from simulators.simulated_experiment import Reading, Recipe, SimulatedExperiment

GAS_CONSTANT = 8.314e-3  # kJ/(mol K)
MISFIT = 416.0  # kJ/mol per relative difference of volumes, four times that of Davies and Navrotsky
ROOM, HIGHEST = 25.0, 1400.0  # degC, where the hot stage begins and ends
HEATING, MIXING = 5.0, 3.0  # K/min; h of milling and pressing


@dataclass(frozen=True, slots=True)
class Oxide:
    """An oxide as rock salt: edge of its cell [Å], and the enthalpy to make rock salt of it [kJ/mol]."""

    edge: float
    enthalpy: float = 0.0

    @property
    def volume(self) -> float:
        """Volume of the cell [Å3]."""
        return self.edge**3


OXIDES: Mapping[str, Oxide] = {
    "magnesium": Oxide(4.211),
    "cobalt": Oxide(4.260),
    "nickel": Oxide(4.177),
    "copper": Oxide(4.245, 22.2),
    "zinc": Oxide(4.280, 24.5),
}
"""Metal to its oxide; the edges of CuO and ZnO are those of rock salt, as Rost et al. have them."""


def hot_stage() -> SimulatedExperiment:
    """Return the diffractometer with a hot stage, to which a ball mill brings pellets."""
    share = Setting("1", (0.0, 1.0))
    return SimulatedExperiment(
        settings=dict.fromkeys(OXIDES, share),
        readings={
            # Patterns are taken every 5 K; the cell of a pellet is known to some 1e-4 of its edge.
            "transition_temperature": Reading("degC", noise=5.0, between_samples=0.004, count=4),
            "lattice_parameter": Reading("Å", noise=0.001, between_samples=1e-4, count=4),
        },
        respond=lambda recipe, _: {
            "transition_temperature": _seen(transition_temperature(recipe) - 273.15),
            "lattice_parameter": sum(share * OXIDES[metal].edge for metal, share in _shares(recipe).items()),
        },
        duration=lambda _: 3600.0 * MIXING + 60.0 * 2 * (HIGHEST - ROOM) / HEATING,
    )


def transition_temperature(recipe: Recipe) -> float:
    """Return the temperature above which an oxide is one phase [K], by the metals' shares."""
    shares = _shares(recipe)
    entropy = -GAS_CONSTANT * sum(x * math.log(x) for x in shares.values())
    lattice = sum(x * OXIDES[metal].enthalpy for metal, x in shares.items())
    strain = sum(shares[i] * shares[j] * _interaction(OXIDES[i], OXIDES[j]) for i, j in combinations(shares, 2))
    return (lattice + strain) / entropy if entropy > 0 else math.inf


def _interaction(one: Oxide, other: Oxide) -> float:
    """Return how two oxides dislike each other [kJ/mol]."""
    return MISFIT * abs(one.volume - other.volume) / ((one.volume + other.volume) / 2)


def _shares(recipe: Recipe) -> dict[str, float]:
    """Return the metals that are there, to shares that add up to 1."""
    there = {metal: float(recipe[metal]) for metal in OXIDES if float(recipe[metal]) > 0}
    return {metal: amount / sum(there.values()) for metal, amount in there.items()}


def _seen(celsius: float) -> float:
    """Return a temperature as the hot stage sees it [degC].

    Raises:
        SampleError: it lies above the stage's end.
    """
    if celsius > HIGHEST:
        raise SampleError(f"still several phases at {HIGHEST:g} degC, where the hot stage ends")
    return max(celsius, ROOM)
