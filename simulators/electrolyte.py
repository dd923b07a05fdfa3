"""Liquid electrolytes of lithium batteries: how well a salt in a mixture of carbonates conducts, warm and cold.

Ions that are free move as spheres in the liquid (Stokes, Einstein), so that the conductivity is

    kappa = F^2 c alpha / (6 pi N_A eta) (1/r+ + 1/r-)

Their free share alpha follows from Fuoss' constant of ion pairs (J. Am. Chem. Soc. 80, 5059, 1958) and the law of mass
action. The viscosity eta of a mixture is that of Grunberg and Nissan (Nature 164, 799, 1949) without interaction, grows
exponentially with the salt's concentration, and with cold as by Arrhenius. Ethylene carbonate, which pulls the ions
apart, is thick, and freezes out of a mixture in which it has more than its ideal solubility (Prausnitz et al.,
Molecular Thermodynamics of Fluid-Phase Equilibria, Prentice Hall, 1999, chapter 11). Permittivities, viscosities and
melting points are those in Xu, Chem. Rev. 104, 4303 (2004). The constants of the salts are of the right size, and no
measurement of any one electrolyte.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns.errors import SampleError
from campaigns.values import Candidate, MetricValue
from instruments.built_in import Setting
from simulators.simulated_experiment import Reading, Recipe, SimulatedExperiment

if TYPE_CHECKING:
    from pymatgen.core import Structure

FARADAY = 96485.33212  # C/mol
AVOGADRO = 6.02214076e23  # 1/mol
GAS_CONSTANT = 8.314  # J/(mol K)
BJERRUM = 1.671e-5  # m K; e^2 / (4 pi epsilon_0 k)
CATION = 3.7e-10  # m, lithium with four carbonates around it
ROOM, COLD = 298.15, 263.15  # K
FLOW = 14000.0  # J/mol, activation energy of viscous flow
FUSION, MELTING = 13300.0, 309.5  # J/mol, K, of ethylene carbonate


@dataclass(frozen=True, slots=True)
class Solvent:
    """A solvent: relative permittivity, viscosity at room temperature [Pa s], molar mass [g/mol]."""

    permittivity: float
    viscosity: float
    mass: float


SOLVENTS: Mapping[str, Solvent] = {
    "ethylene_carbonate": Solvent(89.8, 1.9e-3, 88.06),
    "dimethyl_carbonate": Solvent(3.1, 0.59e-3, 90.08),
    "ethyl_methyl_carbonate": Solvent(2.96, 0.65e-3, 104.10),
}


@dataclass(frozen=True, slots=True)
class Salt:
    """A salt: radius of its anion [m], how near its ions come in a pair [m], and how much it thickens [L/mol]."""

    anion: float
    contact: float
    thickening: float


SALTS: Mapping[str, Salt] = {
    "LiBF4": Salt(2.29e-10, 3.6e-10, 0.85),
    "LiPF6": Salt(2.54e-10, 6.2e-10, 0.95),
    "LiFSI": Salt(2.95e-10, 7.0e-10, 0.80),
    "LiTFSI": Salt(3.26e-10, 6.9e-10, 1.15),
}


def cold_cell() -> SimulatedExperiment:
    """Return the impedance spectrometer with a cell in a cold bath, at -10 degC."""
    return _conductometer(COLD, Reading("mS/cm", relative=0.01, between_samples=0.005), 4 * 3600.0)


def probe() -> SimulatedExperiment:
    """Return a probe that is dipped into a vial on the bench: quick, at room temperature, whatever that is today."""
    return _conductometer(ROOM, Reading("mS/cm", relative=0.02, between_samples=0.03, count=3), 600.0)


def _conductometer(kelvin: float, reading: Reading, duration: float) -> SimulatedExperiment:
    share = Setting("percent", (0.0, 100.0))
    return SimulatedExperiment(
        settings={"salt": Setting(choices=tuple(SALTS)), "concentration": Setting("mol/L", (0.05, 3.0))}
        | dict.fromkeys(SOLVENTS, share),
        readings={"conductivity": reading},
        respond=lambda recipe, _: {"conductivity": conductivity(recipe, kelvin)},
        duration=lambda _: duration,
    )


def conductivity(recipe: Recipe, kelvin: float) -> float:
    """Return the conductivity [mS/cm].

    Args:
        recipe: salt, concentration [mol/L], and the solvents' shares of the mass [percent].
        kelvin: temperature [K].

    Raises:
        SampleError: it freezes.
    """
    moles = {name: float(recipe[name]) / solvent.mass for name, solvent in SOLVENTS.items()}
    fractions = {name: amount / sum(moles.values()) for name, amount in moles.items()}
    dissolved = math.exp(-FUSION / GAS_CONSTANT * (1 / kelvin - 1 / MELTING))
    if fractions["ethylene_carbonate"] > dissolved:
        raise SampleError(f"ethylene carbonate freezes out at {kelvin - 273.15:.0f} degC")
    permittivity = sum(x * SOLVENTS[name].permittivity for name, x in fractions.items())
    return free_share(recipe, permittivity, kelvin) * unpaired_conductivity(recipe, kelvin)


def unpaired_conductivity(recipe: Recipe, kelvin: float) -> float:
    """Return what the conductivity would be if all ions were free [mS/cm]."""
    salt, molar = SALTS[str(recipe["salt"])], float(recipe["concentration"])
    total = sum(float(recipe[name]) for name in SOLVENTS)
    thin = sum(float(recipe[name]) / total * math.log(solvent.viscosity) for name, solvent in SOLVENTS.items())
    cold = FLOW / GAS_CONSTANT * (1 / kelvin - 1 / ROOM)
    viscosity = math.exp(thin + cold + salt.thickening * molar)
    mobile = FARADAY**2 * 1000.0 * molar / (6 * math.pi * AVOGADRO * viscosity)
    return 10.0 * mobile * (1 / CATION + 1 / salt.anion)


def free_share(recipe: Recipe, permittivity: float, kelvin: float) -> float:
    """Return the share of the ions that are not bound in pairs, 0 to 1."""
    salt, molar = SALTS[str(recipe["salt"])], float(recipe["concentration"])
    attraction = BJERRUM / (kelvin * permittivity * salt.contact)
    pairs = 4 * math.pi / 3 * AVOGADRO * salt.contact**3 * 1000.0 * math.exp(attraction)
    return (math.sqrt(1 + 4 * pairs * molar) - 1) / (2 * pairs * molar)


def walden_estimate(candidate: Candidate, structure: Structure | None) -> MetricValue:  # noqa: ARG001  no crystal here
    """Return what a table of viscosities lets expect at -10 degC: Walden's rule (Z. Phys. Chem. 55, 207, 1906).

    It knows neither ion pairs nor ice, and is too high; a factor of two is a fair uncertainty.
    """
    value = unpaired_conductivity(candidate.parameters, COLD)
    return MetricValue(value, value / 2, "mS/cm")
