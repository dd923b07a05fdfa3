"""Solid-state synthesis: what a furnace makes of a recipe.

Conversion follows Johnson, Mehl (Trans. AIME 135, 416, 1939) and Avrami (J. Chem. Phys. 7, 1103, 1939) with an
Arrhenius rate. Solids start to react near a fixed share of their melting point (Tammann, Mansuri, Z. Anorg. Allg. Chem.
126, 119, 1923), so the temperature of reaction is set by the framework and by the melting points of the metals' oxides.
Lithium oxide evaporates and polyanions decompose at higher temperature; the gas oxidises or reduces what its oxygen
pressure does not suit (``simulators.redox``); grains grow as Burke, Turnbull (Prog. Met. Phys. 3, 220, 1952) have it.
The constants of ``FAMILIES`` are set so that well-known compounds come out at the temperatures and in the gases in
which laboratories make them; they are of the right size, and no measurement of any one compound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from pymatgen.core import Composition

from campaigns.errors import LabError
from campaigns.values import Scalar
from simulators.materials import Chemistry, Material
from simulators.redox import DECADES, GAS, expit, window

TARGET = "target"
ZERO_CELSIUS = 273.15
REFERENCE_TIME = 10.0  # h
AVRAMI = 0.7  # growth held back by diffusion
MELTING_SLOPE, MELTING_REFERENCE = 0.12, 2100.0  # K per K; K, near MnO, CoO and NiO
VOLATILE = 220.0  # kJ/mol, evaporation of Li2O
GROWTH, GROWTH_REFERENCE, SEED_SIZE = 240.0, 1100.0, 25.0  # kJ/mol, K, nm
GROWN = 250.0  # nm after REFERENCE_TIME at GROWTH_REFERENCE
DEFAULT_RAMP = 5.0  # degC/min
DEFAULT_EXCESS = 5.0  # percent of lithium


@dataclass(frozen=True, slots=True)
class ChemicalFamily:
    """How compounds of one anion framework react.

    Attributes:
        reaction: temperature at which a tenth of a day converts most of the powder [K].
        activation: activation energy of conversion [kJ/mol].
        volatile: temperature at which ``REFERENCE_TIME`` costs 63 % of the lithium [K].
        shift: hold on the lower oxidation state [kJ per mol O2], see ``simulators.redox``.
    """

    reaction: float
    activation: float
    volatile: float
    shift: float


FAMILIES: Mapping[str, ChemicalFamily] = {
    "oxide": ChemicalFamily(970.0, 150.0, 1360.0, 0.0),
    "phosphate": ChemicalFamily(820.0, 120.0, 1210.0, 120.0),
    "sulfate": ChemicalFamily(770.0, 110.0, 1080.0, 180.0),
    "silicate": ChemicalFamily(890.0, 130.0, 1270.0, 60.0),
    "germanate": ChemicalFamily(860.0, 130.0, 1260.0, 40.0),
    "borate": ChemicalFamily(840.0, 120.0, 1200.0, 60.0),
    "carbonate": ChemicalFamily(770.0, 110.0, 1080.0, 60.0),
    "fluoride": ChemicalFamily(770.0, 110.0, 1100.0, 100.0),
    "sulfide": ChemicalFamily(850.0, 120.0, 1250.0, 0.0),
}


@dataclass(frozen=True, slots=True)
class Gas:
    """A furnace atmosphere.

    An inert gas neither brings oxygen nor carries much away, so that it acts between two pressures.

    Attributes:
        oxidises: log10 p(O2/atm) that it offers to what wants oxygen.
        reduces: log10 p(O2/atm) into which oxygen is given off.
        supply: largest share of a powder that it can oxidise.
    """

    oxidises: float
    reduces: float
    supply: float


# Argon takes oxygen down to its own 0.1 ppm; the carbon monoxide of oxalates and carbon holds back oxidation.
GASES: Mapping[str, Gas] = {
    "oxygen": Gas(0.0, 0.0, 0.75),
    "air": Gas(math.log10(0.21), math.log10(0.21), 0.75),
    "argon": Gas(-16.0, -7.0, 0.12),
}
RELEASE = 0.75  # largest share of a powder that gives off oxygen
ESCAPE = 0.6  # largest share of the lithium that leaves a covered crucible
UNMIXED = 0.015  # share that no time converts, since its partners lie too far apart

MELTING: Mapping[str, float] = {  # K, of the lowest common oxide; CRC Handbook of Chemistry and Physics
    "Ti": 2116.0,
    "V": 2230.0,
    "Cr": 2705.0,
    "Mn": 2115.0,
    "Fe": 1650.0,
    "Co": 2203.0,
    "Ni": 2230.0,
    "Cu": 1500.0,
    "Al": 2327.0,
    "Mg": 3098.0,
    "Zn": 2248.0,
    "Zr": 2983.0,
    "Mo": 1075.0,
    "Sn": 1903.0,
}

OXIDES: Mapping[str, tuple[tuple[float, str], ...]] = {  # mean oxidation state, oxide
    "Mg": ((2, "MgO"),),
    "Al": ((3, "Al2O3"),),
    "Ti": ((3, "Ti2O3"), (4, "TiO2")),
    "V": ((3, "V2O3"), (4, "VO2"), (5, "V2O5")),
    "Cr": ((3, "Cr2O3"), (4, "CrO2")),
    "Mn": ((2, "MnO"), (2.67, "Mn3O4"), (4, "MnO2")),
    "Fe": ((2, "FeO"), (2.67, "Fe3O4"), (3, "Fe2O3")),
    "Co": ((2, "CoO"), (2.67, "Co3O4")),
    "Ni": ((2, "NiO"),),
    "Cu": ((1, "Cu2O"), (2, "CuO")),
    "Zn": ((2, "ZnO"),),
    "Zr": ((4, "ZrO2"),),
    "Mo": ((6, "MoO3"),),
    "Sn": ((4, "SnO2"),),
}
LITHIUM_SALTS: Mapping[str, str] = {"P": "Li3PO4", "Si": "Li2SiO3", "F": "LiF"}
CARBONATE_MASS = 36.95  # g per mol of lithium


@dataclass(frozen=True, slots=True)
class Sample:
    """A powder as it really is, which no instrument tells.

    Attributes:
        material: id of the intended material; None in a campaign without a pool.
        fractions: phase to weight fraction, summing to 1; the intended phase is called ``target``.
        crystallite: mean size of the target's crystallites [nm].
        disorder: share of lithium sites that a metal blocks, 0 to 1.
    """

    material: str | None
    fractions: Mapping[str, float]
    crystallite: float
    disorder: float


@dataclass(frozen=True, slots=True)
class Firing:
    """A recipe as the powder feels it: temperature [K], effective time [h], gas, lithium excess per lithium."""

    kelvin: float
    hours: float
    gas: Gas
    excess: float


@dataclass(frozen=True, slots=True)
class Losses:
    """Shares, 0 to 1, that keep a powder from being the target alone."""

    unreacted: float
    reduced: float
    oxidised: float
    evaporated: float
    surplus: float

    @property
    def target(self) -> float:
        """Share of the powder that becomes the target."""
        return (1 - self.unreacted) * (1 - self.reduced) * (1 - self.oxidised) * (1 - self.evaporated)


def synthesise(material: Material, recipe: Mapping[str, Scalar], rng: np.random.Generator) -> Sample:
    """Return the powder that a furnace makes.

    Args:
        material: the intended substance.
        recipe: temperature [degC], time [h], atmosphere (air, oxygen or argon); optional ramp_rate [degC/min] and
            lithium_excess [percent].
        rng: draws the furnace's offset from its thermocouple (4 K) and the quality of mixing.

    Raises:
        LabError: a setting is missing, or is none of those allowed.
    """
    chemistry = material.chemistry
    family = FAMILIES[chemistry.family]
    firing = _firing(recipe, family, float(rng.normal(0.0, 4.0)))
    losses = _losses(chemistry, family, firing, float(rng.lognormal(0.0, 0.08)))
    disorder = 0.01 + 0.12 * losses.reduced + 0.05 * losses.unreacted + 0.1 * losses.evaporated
    return Sample(material.id, _fractions(chemistry, losses), _crystallite(firing), min(disorder, 1.0))


def _firing(recipe: Mapping[str, Scalar], family: ChemicalFamily, offset: float) -> Firing:
    kelvin = _number(recipe, "temperature") + ZERO_CELSIUS + offset
    hours, ramp = _number(recipe, "time"), _number(recipe, "ramp_rate", DEFAULT_RAMP)
    atmosphere = recipe.get("atmosphere")
    if not (kelvin > 0 and hours >= 0 and ramp > 0):
        raise LabError(f"got {kelvin:.0f} K for {hours} h at {ramp} degC/min; allowed: positive values")
    if atmosphere not in GASES:
        raise LabError(f"atmosphere is {atmosphere!r}; allowed: {', '.join(GASES)}")
    # A ramp adds the time that it spends within one e-fold of the rate (Kissinger, Anal. Chem. 29, 1702, 1957).
    ramping = GAS * kelvin**2 / family.activation / ramp / 60
    excess = _number(recipe, "lithium_excess", DEFAULT_EXCESS) / 100
    return Firing(kelvin, hours + ramping, GASES[str(atmosphere)], excess)


def _number(recipe: Mapping[str, Scalar], key: str, default: float | None = None) -> float:
    value = recipe.get(key, default)
    if isinstance(value, str) or value is None or not math.isfinite(value):
        raise LabError(f"recipe: {key} is {value!r}; got {sorted(recipe)}; allowed: a finite number")
    return float(value)


def _arrhenius(energy: float, kelvin: float, reference: float) -> float:
    """Return the rate at ``kelvin`` over that at ``reference``; ``energy`` in kJ/mol."""
    return math.exp(min(-energy / GAS * (1 / kelvin - 1 / reference), 50.0))


def _losses(chemistry: Chemistry, family: ChemicalFamily, firing: Firing, mixing: float) -> Losses:
    times = firing.hours / REFERENCE_TIME
    rate = mixing * _arrhenius(family.activation, firing.kelvin, _reaction_temperature(chemistry, family))
    converted = (1 - UNMIXED) * (1 - math.exp(-((rate * times) ** AVRAMI)))
    evaporated = ESCAPE * (1 - math.exp(-times * _arrhenius(VOLATILE, firing.kelvin, family.volatile)))
    reduced, oxidised = _redox(chemistry, family, firing)
    balance = (1 + firing.excess) * (1 - evaporated) - 1
    return Losses(
        unreacted=1 - converted,
        reduced=reduced,
        oxidised=oxidised,
        evaporated=max(-balance, 0.0),
        surplus=max(balance, 0.0) if chemistry.lithium else 0.0,
    )


def _reaction_temperature(chemistry: Chemistry, family: ChemicalFamily) -> float:
    excess = {metal: MELTING.get(metal, MELTING_REFERENCE) - MELTING_REFERENCE for metal in chemistry.metals}
    return family.reaction + MELTING_SLOPE * sum(share * excess[m] for m, share in chemistry.metals.items())


def _redox(chemistry: Chemistry, family: ChemicalFamily, firing: Firing) -> tuple[float, float]:
    """Return the shares of the powder that the gas reduces and oxidises; a metal on half the sites decides alone."""
    reduced = oxidised = 0.0
    for metal, share in chemistry.metals.items():
        allowed = window(metal, chemistry.states[metal], firing.kelvin, family.shift)
        weight = min(1.0, 2 * share)
        reduced += weight * expit((allowed.low - firing.gas.reduces) / DECADES)
        oxidised += weight * expit((firing.gas.oxidises - allowed.high) / DECADES)
    return RELEASE * min(reduced, 1.0), firing.gas.supply * min(oxidised, 1.0)


def _crystallite(firing: Firing) -> float:
    """Return the grain size [nm] after cubic growth."""
    grown = (GROWN**3) * firing.hours / REFERENCE_TIME * _arrhenius(GROWTH, firing.kelvin, GROWTH_REFERENCE)
    return float((SEED_SIZE**3 + grown) ** (1 / 3))


def _fractions(chemistry: Chemistry, losses: Losses) -> dict[str, float]:
    """Return weight fractions: the target, the products of each loss in proportion to it, and surplus carbonate."""
    lost = {-1: losses.reduced, 0: losses.unreacted, 1: losses.oxidised}
    total = sum(lost.values()) + losses.evaporated
    fractions = {TARGET: losses.target}
    for shift, share in lost.items():
        part = (1 - losses.target) * share / total if total else 0.0
        _add(fractions, _products(chemistry, shift, lithium=True), part)
    part = (1 - losses.target) * losses.evaporated / total if total else 0.0
    _add(fractions, _products(chemistry, -1, lithium=False), part)
    _add(fractions, {"Li2CO3": 1.0}, losses.surplus * chemistry.lithium * CARBONATE_MASS / 95.0)
    whole = sum(fractions.values())
    return {name: value / whole for name, value in fractions.items() if value > 0 or name == TARGET}


def _add(fractions: dict[str, float], phases: Mapping[str, float], share: float) -> None:
    for name, part in phases.items():
        fractions[name] = fractions.get(name, 0.0) + share * part


def _products(chemistry: Chemistry, shift: int, *, lithium: bool) -> dict[str, float]:
    """Return the weight fractions of the binary phases that hold the powder's atoms.

    Args:
        chemistry: composition and states.
        shift: change of the oxidation states: -1 reduced, 0 as intended, 1 oxidised.
        lithium: whether the lithium is still there.
    """
    masses: dict[str, float] = {}
    for metal, share in chemistry.metals.items():
        oxides = OXIDES.get(metal, ())
        wanted = chemistry.states[metal] + shift
        for _, oxide in sorted(oxides, key=lambda pair: abs(pair[0] - wanted))[:1]:
            _add(masses, {oxide: _mass_per(oxide, metal)}, share)
    for centre, amount in chemistry.centres.items():
        for salt in filter(None, [LITHIUM_SALTS.get(centre)]):
            _add(masses, {salt: _mass_per(salt, centre)}, amount)
    if lithium or not masses:
        _add(masses, {"Li2CO3": CARBONATE_MASS}, max(chemistry.lithium - _bound(chemistry), 0.05))
    whole = sum(masses.values())
    return {name: mass / whole for name, mass in masses.items()}


def _bound(chemistry: Chemistry) -> float:
    """Return the lithium per metal that the salts of the polyanion centres hold."""
    per_centre = {"P": 3.0, "Si": 2.0, "F": 1.0}
    return sum(amount * per_centre.get(centre, 0.0) for centre, amount in chemistry.centres.items())


@cache
def _mass_per(phase: str, element: str) -> float:
    """Return the mass of a phase [g] per mole of one of its elements."""
    composition = Composition(phase)
    return float(composition.weight / composition[element])
