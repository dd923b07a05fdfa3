"""Sintering of zirconia: how dense a pellet becomes, and how large its grains.

Density follows the master sintering curve (Su, Johnson, J. Am. Ceram. Soc. 79, 3211, 1996), a sigmoid of the logarithm
of the work of sintering

    theta = sum over holds of time * exp(-Q/R (1/T - 1/T0))

and grains grow by the cubic law (Burke, Turnbull, Prog. Met. Phys. 3, 220, 1952) with a higher activation energy, so
that what is long and cool becomes dense with smaller grains than what is short and hot. Two-step sintering (Chen,
Wang, Nature 404, 168, 2000) makes use of that: a short peak, then a long hold below it, which closes only pores that
the peak has made small enough: at three quarters of the full density. Constants are of the size of those of
yttria-stabilised zirconia, and no measurement of any one powder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from instruments.built_in import Setting
from simulators.simulated_experiment import Reading, Recipe, SimulatedExperiment

GAS_CONSTANT = 8.314e-3  # kJ/(mol K)
REFERENCE = 1673.15  # K, 1400 degC
SINTERING, GROWTH = 600.0, 850.0  # kJ/mol
GREEN = 0.5  # density of the pressed powder, as a share of the full one
HALF, STEEPNESS = 0.3, 0.6  # h at REFERENCE for half of the shrinkage; width of the sigmoid in ln(theta)
SEED, GROWN = 100.0, 3.2e7  # nm of the powder's grains; nm3 per hour at REFERENCE
STABLE, SOFT = 0.75, 0.02  # density from which the second step closes pores, and how sharply
RAMP = 300.0  # K/h, up and down


def furnace() -> SimulatedExperiment:
    """Return a furnace with a balance and a microscope."""
    return SimulatedExperiment(
        settings={
            "schedule": Setting(choices=("one_step", "two_step")),
            "temperature": Setting("degC", (900.0, 1600.0)),
            "hold": Setting("h", (0.05, 24.0)),
            "second_temperature": Setting("degC", (900.0, 1600.0)),
            "second_hold": Setting("h", (0.0, 48.0)),
        },
        readings={
            "density": Reading("1", noise=0.002, between_samples=0.001),
            "grain_size": Reading("nm", relative=0.03, between_samples=0.02),
        },
        respond=lambda recipe, _: sintered(recipe),
        duration=lambda recipe: 3600.0 * (2 * float(recipe["temperature"]) / RAMP + sum(t for _, t in _holds(recipe))),
    )


def sintered(recipe: Recipe) -> Mapping[str, float]:
    """Return density, as a share of the full one, and grain size [nm].

    Args:
        recipe: schedule; temperature [degC] and hold [h]; second_temperature and second_hold, which count where the
            schedule is two_step.
    """
    work, volume = 0.0, SEED**3
    for step, (kelvin, hours) in enumerate(_holds(recipe)):
        closes = 1.0 if step == 0 else 1 / (1 + math.exp((STABLE - _density(work)) / SOFT))
        work += closes * hours * _arrhenius(SINTERING, kelvin)
        volume += GROWN * hours * _arrhenius(GROWTH, kelvin)
    return {"density": _density(work), "grain_size": volume ** (1 / 3)}


def _holds(recipe: Recipe) -> list[tuple[float, float]]:
    """Return temperature [K] and length [h] of each hold."""
    names = [("temperature", "hold"), ("second_temperature", "second_hold")]
    there = names if recipe["schedule"] == "two_step" else names[:1]
    return [(float(recipe[level]) + 273.15, float(recipe[time])) for level, time in there]


def _density(work: float) -> float:
    return GREEN + (1 - GREEN) / (1 + (HALF / work) ** (1 / STEEPNESS))


def _arrhenius(energy: float, kelvin: float) -> float:
    return math.exp(-energy / GAS_CONSTANT * (1 / kelvin - 1 / REFERENCE))
