"""Which oxidation states a transition metal can keep at a temperature and an oxygen pressure.

Each step between two oxidation states is a line of an Ellingham diagram (Ellingham, J. Soc. Chem. Ind. 63, 125, 1944):
``ln p(O2) = (H - T S) / (R T)`` per mole of O2. H and S follow from the standard formation enthalpies and entropies of
the binary oxides (Chase, NIST-JANAF Thermochemical Tables, 4th ed., 1998). Where a state is known in lithium compounds
alone (Mn4+, Co3+, Ni3+), the line is placed so that Li2MnO3 and LiCoO2 last in air to about 1100 degC and LiNiO2 in
oxygen to about 800 degC. Phosphates and other polyanions hold the lower state more firmly, the inductive effect
(Padhi, Nanjundaswamy, Goodenough, J. Electrochem. Soc. 144, 1188, 1997): their lines are shifted by an enthalpy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

GAS = 8.314462618e-3  # kJ/mol/K
REFERENCE = 1000.0  # K, where charges are shared out between the metals

Step = tuple[float, float]  # kJ/mol and kJ/mol/K, per O2 taken up

# The metal's lowest state in the table is the first key less one.
STEPS: Mapping[str, Mapping[int, Step]] = {
    "Ti": {4: (-734.0, -0.160)},
    "V": {3: (-710.0, -0.164), 4: (-416.0, -0.196), 5: (-247.0, -0.149)},
    "Cr": {4: (-113.0, -0.163)},
    "Mn": {3: (-377.0, -0.223), 4: (-300.0, -0.190)},
    "Fe": {3: (-560.0, -0.273), 4: (-50.0, -0.170)},
    "Co": {3: (-415.0, -0.295), 4: (-80.0, -0.200)},
    "Ni": {3: (-236.0, -0.214), 4: (-60.0, -0.200)},
    "Cu": {2: (-292.0, -0.221), 3: (-50.0, -0.200)},
}
FLOOR, CEILING = -16.0, 16.0  # log10 p(O2/atm) where a step is not in the table: the metal, or no higher oxide
GAP = 6.0  # decades, at least, between the lowest step and the metal
DECADES = 0.5  # decades of p(O2) over which a powder changes


@dataclass(frozen=True, slots=True)
class Window:
    """The log10 oxygen pressures [atm] between which a state lasts."""

    low: float
    high: float


def share_charge(amounts: Mapping[str, float], charge: float) -> dict[str, float]:
    """Return the mean oxidation state of each metal of ``STEPS`` when together they carry ``charge``.

    All metals of one crystal see one oxygen potential, so that the hungriest is oxidised first. A charge outside what
    the metals can carry is clipped.

    Args:
        amounts: metal to atoms; each metal in ``STEPS``.
        charge: what they must carry together.
    """
    low, high = -60.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        carried = sum(amount * _state(metal, middle) for metal, amount in amounts.items())
        low, high = (middle, high) if carried < charge else (low, middle)
    return {metal: _state(metal, low) for metal in amounts}


def window(metal: str, state: float, kelvin: float, shift: float) -> Window:
    """Return the oxygen pressures at which a metal keeps a (mean) state.

    Args:
        metal: element symbol; one outside ``STEPS`` keeps its state at any pressure.
        state: mean oxidation state.
        kelvin: temperature [K].
        shift: what the framework adds to the enthalpy of each step [kJ per mol O2].
    """
    if metal not in STEPS:
        return Window(-math.inf, math.inf)
    whole = math.floor(state + 1e-6)
    part = max(state - whole, 0.0)
    below, at, above = (_log_pressure(metal, whole + i, kelvin, shift) for i in range(3))
    return Window((1 - part) * below + part * at, (1 - part) * at + part * above)


def _log_pressure(metal: str, state: int, kelvin: float, shift: float) -> float:
    """Return log10 p(O2/atm) where the step up to ``state`` is in equilibrium."""
    steps = STEPS[metal]
    if state > max(steps):
        return CEILING
    if state < min(steps):
        return min(FLOOR, _log_pressure(metal, min(steps), kelvin, shift) - GAP)
    enthalpy, entropy = steps[state]
    return (enthalpy + shift - kelvin * entropy) / (GAS * kelvin * math.log(10))


def _state(metal: str, log_pressure: float) -> float:
    steps = STEPS[metal]
    climbed = sum(expit((log_pressure - _log_pressure(metal, s, REFERENCE, 0.0)) / 0.3) for s in steps)
    return min(steps) - 1 + climbed


def expit(x: float) -> float:
    """Return the logistic function of ``x``, without overflow."""
    return 0.5 * (1 + math.tanh(x / 2))
