"""Whether the elements' oxidation states can balance, and whether closed shells remain: what makes a band gap likely.

Pauling, The Nature of the Chemical Bond, 3rd ed. 1960, chapters 3 and 13; the use of charge neutrality as a filter
follows Davies et al. 2016, Chem 1, 617.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Element, Structure

from surrogates.features.embeddings import Embeddings

_NOBLE = (0, 2, 10, 18, 36, 54, 86)
_FILLED_D = (10, 24)  # electrons above a noble gas: d10, f14 d10
_LONE_PAIR = 2
_FAR = 6.0  # where imbalance is cut off


@dataclass(frozen=True, slots=True)
class ValenceFeatures:
    """Describe each crystal by the charge balance of its composition."""

    @property
    def name(self) -> str:
        """Return the name under which results are cached."""
        return "valence"

    @property
    def version(self) -> str:
        """Return what changes whenever results may change."""
        return "1"

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings[None]:
        """Return the features, n x 6.

        The charge per formula unit that the usual oxidation states leave over at least, and how closed the shells are
        where nothing is left over (0 to 1); both again for all known states; the charge left over when only ions with
        closed shells are allowed; and whether the number of electrons in the reduced formula is odd.
        """
        rows = [_features(_reduced(structure)) for structure in structures]
        return Embeddings(None, np.array(rows, dtype=np.float32))


def _reduced(structure: Structure) -> tuple[tuple[str, int], ...]:
    """Return the elements with the smallest whole amounts; pymatgen's reduced formula would double peroxides."""
    amounts = {element.symbol: round(n) for element, n in structure.composition.element_composition.items()}
    common = math.gcd(*amounts.values())
    return tuple(sorted((symbol, n // common) for symbol, n in amounts.items()))


@functools.lru_cache(maxsize=200_000)
def _features(formula: tuple[tuple[str, int], ...]) -> tuple[float, ...]:
    amounts = {Element(symbol): n for symbol, n in formula}
    anion = max(amounts, key=lambda el: (_electronegativity(el), el.Z))
    usual = _balance(amounts, {el: _usual(el, anion) for el in amounts})
    known = _balance(amounts, {el: el.oxidation_states or (0,) for el in amounts})
    closed = _balance(amounts, {el: _closed_states(el, anion) for el in amounts})
    electrons = sum(el.Z * n for el, n in amounts.items())
    return (*usual, *known, closed[0], float(electrons % 2))


def _balance(amounts: dict[Element, int], states: dict[Element, Sequence[int]]) -> tuple[float, float]:
    """Return the least charge left over, and the best share of closed shells where that is none."""
    if len(amounts) == 1:
        return 0.0, 0.0  # an element is neutral
    reachable = {0: 0.0}  # charge so far to the best sum of closed shells
    for element, amount in amounts.items():
        longer: dict[int, float] = {}
        for charge, shells in reachable.items():
            for state in states[element]:
                total = charge + amount * state
                longer[total] = max(longer.get(total, 0.0), shells + amount * _closedness(element, state))
        reachable = longer
    least = min(abs(charge) for charge in reachable)
    return min(float(least), _FAR), reachable.get(0, 0.0) / sum(amounts.values())


def _usual(element: Element, anion: Element) -> Sequence[int]:
    if element == anion or (_electronegativity(element) > 3.0 and element.common_oxidation_states):
        negative = tuple(q for q in element.common_oxidation_states if q < 0)
        return negative or element.oxidation_states or (0,)
    return element.common_oxidation_states or element.oxidation_states or (0,)


def _closed_states(element: Element, anion: Element) -> Sequence[int]:
    """Return the states in which an ion has a closed shell; the usual ones of an anion."""
    if element == anion or _electronegativity(element) > 3.0:
        return _usual(element, anion)
    return tuple(q for q in range(1, 8) if _closedness(element, q) > 0) or (0,)


def _closedness(element: Element, charge: int) -> float:
    """Return 1 for a noble gas's shell, 0.9 for a filled d shell, 0.7 with a lone pair upon it, 0.5 for s2, else 0."""
    electrons = element.Z - charge
    if electrons in _NOBLE:
        return 1.0
    if electrons < 0:
        return 0.0
    core = max(n for n in _NOBLE if n <= electrons)
    above = electrons - core
    if core >= 18 and above in _FILLED_D:
        return 0.9
    if core >= 18 and above - _LONE_PAIR in _FILLED_D:
        return 0.7
    return 0.5 if above == _LONE_PAIR and core > 0 else 0.0


def _electronegativity(element: Element) -> float:
    """Return Pauling's electronegativity, or 1 where there is none."""
    return element.X if element.X == element.X else 1.0
