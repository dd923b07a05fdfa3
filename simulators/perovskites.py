"""Halide perovskites ABX3: whether they form, and how large their band gap is.

Three rules, each of which looks at the mean ion of a site, so that mixed crystals lie between pure ones (virtual
crystal: Nordheim, Ann. Phys. 401, 607, 1931):

- They form where the tolerance factor of Bartel et al. (Sci. Adv. 5, eaav0693, 2019) is small; their bound is 4.18.
- The gap lies between the s and the p state of the metal, as the absorption of a single Pb2+ or Sn2+ in a glass does
  (Duffy, Ingram, J. Chem. Phys. 54, 443, 1971): it grows with the free ion's s2 - sp excitation, and shrinks as the
  halogen gives its electrons more easily, here by Pauling's electronegativity. Shorter bonds widen it by the inverse
  square of their length (Harrison, Electronic Structure and the Properties of Solids, Freeman, 1980).
- Octahedra tilt around an A ion that is too small, which widens the gap (Filip, Eperon, Snaith, Giustino, Nat. Commun.
  5, 5757, 2014).

The four constants of ``GAP`` are a least-squares fit to the measured gaps of the nine CsBX3, which come out to 0.3 eV:
the right size and order, and no measurement of any one compound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns.errors import LabError, SampleError
from instruments.built_in import Setting
from simulators.simulated_experiment import Reading, Recipe, SimulatedExperiment

if TYPE_CHECKING:
    from pymatgen.core import Structure

IONS: Mapping[str, Mapping[str, float]] = {
    "A": {"K": 1.64, "Rb": 1.72, "Cs": 1.88},
    "B": {"Ge": 1.05, "Sn": 1.15, "Pb": 1.19},
    "X": {"Cl": 1.81, "Br": 1.96, "I": 2.20},
}
"""Site to ion to radius [Å]: Shannon, Acta Cryst. A 32, 751 (1976); Ge2+ and Sn2+, whose lone pairs push them off the
centre, as large as the cells of CsGeX3 and CsSnX3 say."""
EXCITATION: Mapping[str, float] = {"Ge": 7.75, "Sn": 6.84, "Pb": 7.98}
"""eV from s2 1S0 to sp 3P1 of the free B2+ (NIST Atomic Spectra Database)."""
ELECTRONEGATIVITY: Mapping[str, float] = {"Cl": 3.16, "Br": 2.96, "I": 2.66}
"""Pauling's."""
CONTRACTION = 0.93
"""Bond length by the sum of radii, of the covalent bonds in CsPbCl3, CsPbBr3 and CsPbI3."""
GAP = (0.389, 1.462, 25.6, -8.02)
"""eV of gap per eV of excitation, per unit of electronegativity, per inverse square of the bond length [Å2]; at 0."""
UPRIGHT, TILTED = 0.85, 2.0
"""Goldschmidt's tolerance factor above which nothing tilts (CsPbI3), and eV of gap per sin2 of the tilt."""
NO_FILM = 4.5
"""Tolerance factor beyond which a film is no perovskite any more; above 4.18 it is one that may fall apart later."""
COATING, SPECTRUM = 4 * 3600.0, 1200.0  # s: spin, anneal and cool a film; one spectrum


@dataclass(frozen=True, slots=True)
class MeanIons:
    """The mean ions of a crystal: radii [Å], excitation of the metal [eV], electronegativity of the halogen."""

    a: float
    b: float
    x: float
    excitation: float
    electronegativity: float

    @classmethod
    def of(cls, amounts: Mapping[str, float]) -> MeanIons:
        """Return those of a composition: element to amount.

        Raises:
            LabError: an element is none of ``IONS``.
        """
        known = {ion for ions in IONS.values() for ion in ions}
        if unknown := sorted(set(amounts) - known):
            raise LabError(f"no virtual perovskite has {', '.join(unknown)}; allowed: {', '.join(sorted(known))}")
        a, b, x = (_mean(amounts, radii) for radii in IONS.values())
        return cls(a, b, x, _mean(amounts, EXCITATION), _mean(amounts, ELECTRONEGATIVITY))

    @property
    def bond(self) -> float:
        """Length of the bond from metal to halogen [Å]."""
        return CONTRACTION * (self.b + self.x)


def _mean(amounts: Mapping[str, float], values: Mapping[str, float]) -> float:
    shares = {ion: amount for ion, amount in amounts.items() if ion in values}
    if not shares:
        raise LabError(f"a perovskite needs one of {', '.join(values)}")
    return sum(share * values[ion] for ion, share in shares.items()) / sum(shares.values())


def tolerance_factor(ions: MeanIons) -> float:
    """Return Bartel's tolerance factor, of a halide with A in the oxidation state 1."""
    ratio = ions.a / ions.b
    return ions.x / ions.b - (1 - ratio / math.log(ratio))


def band_gap(ions: MeanIons) -> float:
    """Return the band gap [eV]."""
    excited, bound, short, start = GAP
    upright = min((ions.a + ions.x) / (math.sqrt(2) * (ions.b + ions.x)) / UPRIGHT, 1.0)  # cosine of the tilt
    gap = start + excited * ions.excitation + bound * ions.electronegativity + short / ions.bond**2
    return max(gap + TILTED * (1 - upright**2), 0.0)


def film() -> SimulatedExperiment:
    """Return the spin coater with its spectrometer, which reads the gap from the absorption edge of three spots."""
    return SimulatedExperiment(
        settings={"annealing": Setting("degC", (60.0, 250.0))},
        # Tauc plots of one film agree to 10 to 20 meV; films of one solution differ by as much again.
        readings={"band_gap": Reading("eV", noise=0.015, between_samples=0.006, count=3)},
        respond=_respond,
        duration=lambda _: COATING + 3 * SPECTRUM,
        defaults={"annealing": 120.0},
    )


def _respond(_: Recipe, structure: Structure | None) -> dict[str, float]:
    """Return the band gap of a film.

    Raises:
        LabError: there is no material, or one that is no halide perovskite.
        SampleError: the film is no perovskite.
    """
    if structure is None:
        raise LabError("the coater was told no material; it needs a pool of perovskites in the campaign's space")
    ions = MeanIons.of({str(element): float(amount) for element, amount in structure.composition.items()})
    if tolerance_factor(ions) > NO_FILM:
        raise SampleError("the film is pale and shows no absorption edge: no perovskite has formed")
    return {"band_gap": band_gap(ions)}
