"""The formulas of a CIF, held against its atoms: the sum, those that are written freely, and a measured one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from pymatgen.core import Composition, Element

from surrogates.pools.cif.block import Block

SUM = "_chemical_formula_sum"
_MEASURED = "_chemical_formula_analytical"
_FREE = ("_chemical_formula_structural", "_chemical_formula_moiety", "_chemical_formula_iupac")
_NAMES = ("_chemical_name_common", "_chemical_name_systematic")  # VESTA and others write formulas there
_SLACK = 0.01  # relative; formulas in files are rounded
_MEASURED_SLACK = 0.03  # of all atoms; what microprobes and elemental analyses leave open
_DECIMALS = re.compile(r"\d*\.(\d+)")
_ERROR = re.compile(r"(?<=[\d.])\(\d+\)")
_CHARGE = re.compile(r"\s\d*[+-](?=[\s,)\]]|$)|(?<=[A-Za-z)\]])(?:\^?\d*[+-]|\^\d+[+-])(?=[\s,)\]]|$)")
_HYDRATE = re.compile(r"(?<![A-Za-z]0)\.(?=\d*\(?H2O)")  # CuSO4.5H2O
_POLYMER = re.compile(r"(?<=\))n\b|\bn(?=\()")  # (Zn1 O1)n
_PARTS = re.compile(r",\s|(?<!\d),|,(?=[A-Za-z(]|\d+\()|[·∙*]|\s\.\s")
_TIMES = re.compile(r"\s*(\d*\.?\d*)\s*(.*)")
_NO_FORMULA = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What holding formulas against the atoms has shown.

    Attributes:
        said: what the sum formula says; None where there is none that can be read.
        confirmed: whether it is that of the atoms, but for rounding.
        against: what contradicts the atoms.
        notes: what differs from them, or could not be compared.
    """

    said: Composition | None
    confirmed: bool
    against: tuple[str, ...]
    notes: tuple[str, ...]


def compared(block: Block, held: Composition) -> Comparison:
    """Return how all formulas of a file compare with the atoms of the cell; the sum rules over the others."""
    text = block.word(SUM)
    said = None if text is None else parse_formula(text)
    if text is not None and said is not None and not _alike(said, held, _SLACK):
        return Comparison(said, False, (_contradiction(held, text),), ())
    against, notes = _others(block, held, confirmed=said is not None)
    if text is not None and said is None:
        notes = (f"its {SUM} {text!r} is no formula, and was not compared with its atoms", *notes)
    if text is not None and said is not None and not _is_rounded(text, said, held):
        notes = (f"says that it is {text}, but was read as {smallest_formula(held)}, as its atoms are listed", *notes)
    return Comparison(said, said is not None, against, notes)


def parse_formula(text: str) -> Composition | None:
    """Return a formula such as ``Li1.00(2) (Co O2)``, or of parts: ``2(Na 1+), S O4 2-``; None if it is none."""
    plain = text.replace("'", "").translate(str.maketrans("[]{}", "()()"))
    plain = _HYDRATE.sub(" . ", _POLYMER.sub("", plain))
    parts = _PARTS.split(_CHARGE.sub("", _ERROR.sub("", plain)))
    try:
        return sum((_part(part) for part in parts if part.strip()), Composition()) or None
    except _NO_FORMULA:
        return None


def smallest_formula(held: Composition) -> str:
    """Return the atoms in the cell by the smallest numbers, as NaO, which pymatgen calls Na2O2."""
    parts = {element: round(amount) for element, amount in held.items()}
    factor = gcd(*parts.values())
    return "".join(f"{element}{count // factor if count > factor else ''}" for element, count in parts.items())


def _part(text: str) -> Composition:
    """Return one part with the number before it.

    Raises:
        ValueError: it is no formula.
    """
    found = _TIMES.fullmatch(text.strip())
    if found is None or not found[2]:
        raise ValueError(f"{text} is no formula")
    formula = Composition(re.sub(r"\s", "", found[2])).remove_charges()
    if not all(isinstance(each, Element) for each in formula):
        raise ValueError(f"{text} holds what is no element")
    return formula * float(found[1] or 1)


def _others(block: Block, held: Composition, *, confirmed: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what contradicts the atoms and what is only noted of the formulas beside the sum."""
    against, notes = [], []
    for tag, text in _written(block):
        said = parse_formula(text)
        if said is None:
            notes += [] if confirmed or tag in _NAMES else [_not_compared(tag, text)]
        elif not _alike(said, held, _SLACK):
            near = tag == _MEASURED and _apart(said, held) <= _MEASURED_SLACK
            if confirmed or near or tag in _NAMES:
                notes.append(f"says {text} as {tag}, but was read as {smallest_formula(held)}, as its atoms are listed")
            else:
                against.append(_contradiction(held, f"{text} ({tag})"))
    return tuple(against), tuple(notes)


def _written(block: Block) -> Iterator[tuple[str, str]]:
    for tag in (*_FREE, _MEASURED, *_NAMES):
        yield from ((tag, text) for text in block.words(tag))


def _contradiction(held: Composition, said: str) -> str:
    return f"holds {smallest_formula(held)}, but says that it is {said}; atoms are missing, or too many"


def _not_compared(tag: str, text: str) -> str:
    return f"its {tag} {text!r} could not be compared with its atoms"


def _alike(said: Composition, held: Composition, slack: float) -> bool:
    return bool(said.fractional_composition.almost_equals(held.fractional_composition, rtol=slack, atol=1e-4))


def _apart(said: Composition, held: Composition) -> float:
    """Return the largest difference of the share of an element in all atoms."""
    one, other = said.fractional_composition, held.fractional_composition
    return max(abs(one[element] - other[element]) for element in {*one, *other})


def _is_rounded(text: str, said: Composition, held: Composition) -> bool:
    """Return whether the amounts of a formula are those of the atoms within half of its last digits."""
    decimals = [len(digits) for digits in _DECIMALS.findall(text)]
    half = 0.5 * 10.0 ** -min(decimals, default=0)
    low, high = 0.0, float("inf")
    for element, amount in said.items():
        slack = 0.0 if amount.is_integer() else half
        there = max(held[element], 1e-9)
        low, high = max(low, (amount - slack) / there), min(high, (amount + slack) / there)
    return low <= high * (1 + 1e-6)
