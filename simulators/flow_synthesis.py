"""A flow reactor: morpholine for fluorine on 2,4-difluoronitrobenzene, in ethanol, with chromatography at its outlet.

The rate law and its constants are those of Hone, Holmes, Akien, Bourne, Muller, React. Chem. Eng. 2, 103 (2017): four
second-order steps, of which the first two give the wanted ortho product and the para product, and the other two turn
both into the bis-substituted one. The reactor is an ideal plug-flow reactor (Levenspiel, Chemical Reaction
Engineering, Wiley, 1999, chapter 5): what a plug sees over its residence time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from campaigns.errors import SampleError
from instruments.built_in import Setting
from simulators.simulated_experiment import Reading, Recipe, SimulatedExperiment

GAS_CONSTANT = 8.314e-3  # kJ/(mol K)
REFERENCE = 363.15  # K
RATES = (0.579, 0.0270, 0.00865, 0.0163)  # L/(mol s) at REFERENCE: to ortho, to para, ortho to bis, para to bis
ACTIVATION = (33.3, 35.3, 38.9, 44.8)  # kJ/mol
MOLAR_MASS = (159.09, 87.12, 226.21, 226.21, 293.32)  # g/mol: substrate, morpholine, ortho, para, bis
SOLVENT = 789.0  # g/L, ethanol
SETTLING = 3.0  # residence times until the outlet is steady
RUN = 900.0  # s, one chromatogram with its injection
LEAST = 1e-3  # mol/L of product below which the detector sees none


def reactor() -> SimulatedExperiment:
    """Return the reactor with its chromatograph."""
    return SimulatedExperiment(
        settings={
            "residence_time": Setting("min", (0.2, 10.0)),
            "equivalents": Setting("1", (0.5, 10.0)),
            "concentration": Setting("mol/L", (0.05, 1.0)),
            "temperature": Setting("degC", (20.0, 150.0)),
        },
        readings={
            # 1 % is the repeatability of an injection; the pumps' flow varies by 0.5 % from one run to the next.
            "throughput": Reading("kg/L/h", relative=0.01, between_samples=0.005),
            "waste": Reading("kg/kg", relative=0.01, between_samples=0.005),
            "impurity": Reading("percent", noise=0.02, relative=0.01, between_samples=0.005),
        },
        respond=lambda recipe, _: outlet(recipe),
        duration=lambda recipe: SETTLING * 60.0 * float(recipe["residence_time"]) + RUN,
    )


def outlet(recipe: Recipe) -> dict[str, float]:
    """Return what comes out of the reactor.

    Args:
        recipe: residence_time [min], equivalents of morpholine, concentration of the substrate [mol/L], temperature
            [degC].

    Returns:
        throughput: product per reactor volume and time [kg/L/h]; waste: mass of all else, solvent too, per mass of
        product [kg/kg] (Sheldon's E factor, Green Chem. 9, 1273, 2007); impurity: the by-products' share of all that
        the substrate has become [mol/mol, percent].

    Raises:
        SampleError: there is too little product for the detector.
    """
    minutes, start = float(recipe["residence_time"]), float(recipe["concentration"])
    excess, kelvin = float(recipe["equivalents"]), float(recipe["temperature"]) + 273.15
    amounts = concentrations(start, excess * start, kelvin, 60.0 * minutes)
    product = amounts[2]
    if product < LEAST:
        raise SampleError(f"{product:.1g} mol/L of product at the outlet, below the detector's {LEAST:g} mol/L")
    mass = [amount * molar for amount, molar in zip(amounts, MOLAR_MASS, strict=True)]  # g/L
    others = sum(mass) - mass[2] + SOLVENT
    return {
        "throughput": mass[2] * 1e-3 * 60.0 / minutes,
        "waste": others / mass[2],
        "impurity": 100.0 * (amounts[3] + amounts[4]) / sum(amounts[2:]),
    }


def concentrations(substrate: float, morpholine: float, kelvin: float, seconds: float) -> list[float]:
    """Return the concentrations [mol/L] of substrate, morpholine, ortho, para and bis product after some time.

    Args:
        substrate: at the inlet [mol/L].
        morpholine: at the inlet [mol/L].
        kelvin: temperature [K].
        seconds: residence time [s].
    """
    from scipy.integrate import solve_ivp  # a third of a second to import, which 'validate' need not wait for

    ortho, para, second, last = (
        rate * math.exp(-energy / GAS_CONSTANT * (1 / kelvin - 1 / REFERENCE))
        for rate, energy in zip(RATES, ACTIVATION, strict=True)
    )

    def change(_: float, c: Sequence[float]) -> list[float]:
        first, side = ortho * c[0] * c[1], para * c[0] * c[1]
        further, on = second * c[1] * c[2], last * c[1] * c[3]
        return [-first - side, -first - side - further - on, first - further, side - on, further + on]

    start = [substrate, morpholine, 0.0, 0.0, 0.0]
    solved = solve_ivp(change, (0.0, seconds), start, method="LSODA", rtol=1e-8, atol=1e-10)
    return [max(float(amount), 0.0) for amount in solved.y[:, -1]]
