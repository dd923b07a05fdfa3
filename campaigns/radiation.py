"""X-rays of a diffractometer: lines of its tube by name, or one wavelength by number."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from campaigns.errors import UnitError
from campaigns.units import convert, split_quantity

TUBES: dict[str, tuple[float, float]] = {
    "Cr": (2.289726, 2.293651),
    "Fe": (1.936041, 1.939973),
    "Co": (1.788996, 1.792835),
    "Cu": (1.540593, 1.544427),
    "Mo": (0.709317, 0.713607),
    "Ag": (0.559422, 0.563813),
}
"""Anode to its K-alpha-1 and K-alpha-2 lines [Å]; Hölzer et al., Phys. Rev. A 56, 4554 (1997); Mo and Ag: Deslattes et
al., Rev. Mod. Phys. 75, 35 (2003)."""
BETA: dict[str, float] = {
    "Cr": 2.084888,
    "Fe": 1.756604,
    "Co": 1.620826,
    "Cu": 1.392235,
    "Mo": 0.632303,
    "Ag": 0.497082,
}
"""Anode to its K-beta-1,3 line [Å], which filters leave a little of; the same sources."""
SECOND = 0.5
"""Intensity of K-alpha-2 over that of K-alpha-1."""
SHORTEST, LONGEST = 0.05, 5.0
"""Å; X-rays beyond these give no powder pattern."""
PHOTON = 12.398419843
"""keV Å, Planck's constant times the speed of light."""
_BETWEEN = re.compile(r"[\s_,+/&-]+|\band\b")
_NAME = re.compile(r"([A-Z]{2})(?:K(?:α|alpha|a)(1?)((?:(?:\1?K(?:α|alpha|a))?2)?))?", re.IGNORECASE)
_ANGSTROM = re.compile(r"(?<=[\d.\s])(?:A|(?i:ang(?:str[oö]ms?)?))$")
"""In a wavelength ``A`` is Å; elsewhere it is the ampere."""


@dataclass(frozen=True, slots=True)
class Radiation:
    """What a sample is shone on with.

    Attributes:
        name: as people write it.
        wavelengths: of its lines [Å], the strongest first.
        shares: of their intensity, which sum to 1.
        beta: wavelength of the K-beta line [Å] that may be left beside them; None where there is none.
    """

    name: str
    wavelengths: tuple[float, ...]
    shares: tuple[float, ...]
    beta: float | None = None


def tube(anode: str, *, first_only: bool = False) -> Radiation:
    """Return the K-alpha lines of a tube; ``first_only`` where K-alpha-2 is cut off or stripped."""
    lines = TUBES[anode]
    if first_only:
        return Radiation(f"{anode}Ka1", lines[:1], (1.0,))
    return Radiation(f"{anode}Ka", lines, (1 / (1 + SECOND), SECOND / (1 + SECOND)), BETA[anode])


def radiation(given: str | float) -> Radiation:
    """Return what a name (CuKa, CuKa1), a wavelength (0.4133 Å; a bare number is in Å) or an energy (30 keV) means.

    Raises:
        UnitError: it is none of these, or no X-ray that powders are measured with.
    """
    if isinstance(given, str) and given.strip()[:1].isalpha():
        return _named(given.strip())
    wavelength = _length(given)
    if not SHORTEST <= wavelength <= LONGEST:
        raise UnitError(
            f"got a wavelength of {wavelength:g} Å ({given}); allowed: {SHORTEST:g} to {LONGEST:g} Å, where a bare "
            "number is in Å"
        )
    return Radiation(f"{wavelength:g} Å", (wavelength,), (1.0,))


def _named(text: str) -> Radiation:
    found = _NAME.fullmatch(_BETWEEN.sub("", unicodedata.normalize("NFKC", text)))
    anode = found[1].capitalize() if found else text
    if found is None or anode not in TUBES:
        raise UnitError(f"got {text!r}; allowed: {', '.join(f'{a}Ka' for a in TUBES)}, the same with 1 at the end, "
                         "or a wavelength such as 0.4133 Å")  # fmt: skip
    if found[3] and not found[2]:
        raise UnitError(f"got {text!r}, which is K-alpha-2 alone; allowed: {anode}Ka, {anode}Ka1, or a wavelength")
    return tube(anode, first_only=bool(found[2]) and not found[3])


def _length(given: str | float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise UnitError(f"got {given!r}; allowed: a tube such as CuKa, or a wavelength such as 0.4133 Å")
    if not isinstance(given, str):
        return float(given)
    value, unit = split_quantity(_ANGSTROM.sub("Å", given.strip()))
    if unit and unit.removeprefix("k").removeprefix("M") == "eV":
        return PHOTON / convert(value, unit, "keV") if value > 0 else 0.0
    return convert(value, unit, "angstrom") if unit else value


COPPER = tube("Cu")
