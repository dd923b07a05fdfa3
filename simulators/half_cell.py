"""The virtual half cell: the raw discharge curve of a powder against lithium."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from campaigns.errors import LabError
from campaigns.values import Scalar
from simulators.materials import Material
from simulators.redox import expit
from simulators.synthesis import TARGET, Sample

FloatArray = NDArray[np.float64]

POINTS, FLANK = 260, 20  # of the host's discharge, and of the steep ends beside it
TOP, BOTTOM = (
    4.8,
    1.5,
)  # V; what a carbonate electrolyte stands (Xu, Chem. Rev. 104, 4303, 2004), and the end of discharge
THERMAL = 0.025693  # V, k T / e at 298.15 K
SLOPE = 0.7  # V over all lithium, of a solid solution
PLATEAU = 0.04  # V over all lithium, of two phases in many particles
SPREAD = 0.04  # V, over which particles reach the end of charge
RESISTANCE = 0.12  # V at a rate of 1/h
NOISE = 0.002  # V, of each reading
CALIBRATION = 0.003  # V, of the channel
WEIGHING = 0.01  # relative error of the powder's mass
CARBON = 2.0  # mAh/g, charge of the conductive carbon between TOP and BOTTOM, as of a capacitor
DEFAULT_RATE = 0.1  # 1/h
# By dimension of the lithium paths. 0 means that lithium hops through sites that are empty in the full crystal.
DIFFUSION: Mapping[int, float] = {0: 1e-14, 1: 3e-15, 2: 2e-12, 3: 5e-12}  # cm^2/s
BLOCKING: Mapping[int, float] = {0: 1.0, 1: 2.0, 2: 1.2, 3: 0.6}  # share of capacity lost per share of sites blocked


@dataclass(frozen=True, slots=True)
class Load:
    """How hard a cell is driven, and how well the powder keeps up.

    Attributes:
        rate: discharges per hour [1/h].
        share: part of the host's lithium that diffusion and blocked sites leave within reach, 0 to 1.
    """

    rate: float
    share: float


def discharge(
    material: Material, sample: Sample, recipe: Mapping[str, Scalar], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return capacity [mAh/g of powder] and voltage [V], each n, of one discharge after a full charge.

    Args:
        material: the intended substance: theoretical capacity, mean voltage, lithium paths.
        sample: weight fraction, crystallite size and disorder of the target; impurities store nothing.
        recipe: c_rate [1/h], 0.1 unless given.
        rng: draws the weighing error, the channel's offset and its noise.

    Raises:
        LabError: the rate is no positive number.
    """
    rate = recipe.get("c_rate", DEFAULT_RATE)
    if isinstance(rate, str) or not 0 < rate < math.inf:
        raise LabError(f"c_rate is {rate!r}; allowed: a positive number [1/h]")
    load = Load(float(rate), accessible(material.dimension, sample, float(rate)))
    voltage, charge = _curve(material, sample.fractions[TARGET], load)
    weighed = 1 + float(rng.normal(0.0, WEIGHING))
    offset = float(rng.normal(0.0, CALIBRATION))
    return charge / weighed, voltage + offset + rng.normal(0.0, NOISE, len(voltage))


def _curve(material: Material, fraction: float, load: Load) -> tuple[FloatArray, FloatArray]:
    """Return voltage [V], falling from ``TOP`` to ``BOTTOM``, and charge [mAh/g] passed, each n."""
    filling = np.linspace(*_range(material, load), POINTS)
    volts = np.clip(equilibrium(material, filling) - RESISTANCE * load.rate, BOTTOM, TOP)
    stored = material.host_capacity * fraction * (filling - filling[0])
    head, tail = np.linspace(TOP, volts[0], FLANK), np.linspace(volts[-1], BOTTOM, FLANK)
    voltage = np.concatenate([head, volts, tail])
    charge = np.concatenate([np.zeros(FLANK), stored, np.full(FLANK, stored[-1])])
    return voltage, charge + CARBON * (TOP - voltage) / (TOP - BOTTOM)


def accessible(dimension: int, sample: Sample, rate: float) -> float:
    """Return the share of lithium, 0 to 1, that a constant current takes up before the particles' surface is full.

    Spheres under constant flux: Atlung, West, Jacobsen, J. Electrochem. Soc. 126, 1311 (1979). Sites that a metal
    blocks cut one-dimensional channels most (Malik, Burch, Bazant, Ceder, Nano Lett. 10, 4123, 2010).
    """
    radius = sample.crystallite / 2 * 1e-7  # cm
    diffusing = DIFFUSION[dimension] * 3600 / rate / radius**2
    times, shares = _sphere()
    reached = float(np.interp(math.log(diffusing), times, shares))
    return reached * max(1 - BLOCKING[dimension] * sample.disorder, 0.0)


def equilibrium(material: Material, filling: FloatArray) -> FloatArray:
    """Return the open-circuit voltage [V], n, at lithium fillings 0 to 1.

    Frumkin isotherm, whose mean over 0 to 1 is the material's voltage (Levi, Aurbach, Electrochim. Acta 45, 167, 1999).
    """
    inner = np.clip(filling, 1e-4, 1 - 1e-4)
    slope = PLATEAU if material.two_phase else SLOPE
    return np.asarray(material.voltage - THERMAL * np.log(inner / (1 - inner)) - slope * (inner - 0.5))


def _range(material: Material, load: Load) -> tuple[float, float]:
    """Return the fillings at the end of charge, at ``TOP``, and of discharge, at ``BOTTOM`` or when full."""
    grid = np.linspace(0.0, 1.0, 201)
    volts = equilibrium(material, grid)
    drop = RESISTANCE * load.rate
    charged = np.mean([expit((v + drop - TOP) / SPREAD) for v in volts])
    emptied = np.mean([expit((BOTTOM - v + drop) / SPREAD) for v in volts])
    start = min(float(charged), 1.0)
    return start, start + load.share * max(1 - start - float(emptied), 0.0)


@cache
def _sphere() -> tuple[FloatArray, FloatArray]:
    """Return log(D t / R^2) of a full discharge, and the share of it that a sphere takes up, each k, rising."""
    roots = np.array([_root(n) for n in range(1, 400)])
    times = np.geomspace(1e-5, 1e3, 400)
    series = np.exp(-np.outer(times, roots**2)) @ (1 / roots**2)
    surface = 3 * times + 0.2 - 2 * series
    return np.log(surface / 3), 3 * times / surface


def _root(n: int) -> float:
    """Return the nth positive root of tan(a) = a, by iterating a = n pi + atan(a)."""
    a = n * math.pi + 1.0
    for _ in range(50):
        a = n * math.pi + math.atan(a)
    return a
