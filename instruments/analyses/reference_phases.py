"""Crystal structures of likely impurities, and the reflections that a diffractometer would show of any structure.

Cells, origins and coordinates are those of the sources named beside them. Their tests check shortest distances, since a
wrong origin gives an absurd crystal without any complaint.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Composition, Lattice, Structure

from campaigns.errors import LabError
from campaigns.radiation import COPPER, Radiation
from instruments.analyses.symmetry import rotations

RANGE = (10.0, 80.0)  # deg of 2 theta that a scan covers
MARGIN = 1.0  # deg; reflections just outside the scan reach into it
SLACK = 0.01  # Å, within which atoms obey a symmetry
LOW_INDEX, STRONGEST = 9, 3  # forms of planes along which texture is looked for
WEAKEST = 5e-4  # of the strongest reflection; weaker ones are dropped

FloatArray = NDArray[np.float64]

HEXAGONAL = (90.0, 90.0, 120.0)

Site = tuple[str | Mapping[str, float], tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Cell:
    """A published crystal structure: space group, lattice parameters [Å, deg] and the sites of its asymmetric unit."""

    group: str
    lengths: tuple[float, float, float]
    sites: tuple[Site, ...]
    angles: tuple[float, float, float] = (90.0, 90.0, 90.0)

    def structure(self) -> Structure:
        """Return the full unit cell."""
        species, coords = zip(*self.sites, strict=True)
        lattice = Lattice.from_parameters(*self.lengths, *self.angles)
        return Structure.from_spacegroup(self.group, lattice, list(species), [list(xyz) for xyz in coords])


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePhase:
    """The reflections of one phase, in the first line of a radiation.

    Attributes:
        name: what the phase is called.
        two_theta: positions [deg], k, rising.
        intensity: |F|^2 with multiplicity and Lorentz-polarisation factor, k, absolute for one cell.
        zmv: cell mass times cell volume [g/mol Å^3], which turns scale factors into weights
            (Hill, Howard, J. Appl. Cryst. 20, 467, 1987).
        radiation: the X-rays.
        normals: unit vectors across the reflecting planes, k x 3; one plane of each form.
        symmetry: rotations of the point group, g x 3 x 3.
        axes: unit vectors across planes, a x 3, along which grains may be oriented.
    """

    name: str
    two_theta: FloatArray
    intensity: FloatArray
    zmv: float
    radiation: Radiation
    normals: FloatArray
    symmetry: FloatArray
    axes: FloatArray


def _face_centred(a: float, *basis: Site) -> Cell:
    """Return a cubic cell with four of each basis site; listing them is 100 times as fast as 192 operations."""
    centres = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
    sites = ((species, (x + u, y + v, z + w)) for species, (x, y, z) in basis for u, v, w in centres)
    return Cell("P1", (a, a, a), tuple(sites))


def _rock_salt(metal: str, a: float, anion: str = "O") -> Cell:
    return _face_centred(a, (metal, (0, 0, 0)), (anion, (0.5, 0.5, 0.5)))


def _rutile(metal: str, a: float, c: float, x: float) -> Cell:
    return Cell("P4_2/mnm", (a, a, c), ((metal, (0, 0, 0)), ("O", (x, x, 0))))


def _corundum(metal: str, a: float, c: float, z: float, x: float) -> Cell:
    return Cell("R-3c", (a, a, c), ((metal, (0, 0, z)), ("O", (x, 0, 0.25))), HEXAGONAL)


def _spinel(metal: str, a: float, u: float) -> Cell:
    """Return a spinel in Fd-3m, origin at -3m: positions 8a, 16d and 32e of the International Tables, vol. A."""
    tetrahedra = ((0.125, 0.125, 0.125), (0.875, 0.375, 0.375))
    octahedra = ((0.5, 0.5, 0.5), (0.25, 0.75, 0.0), (0.75, 0.0, 0.25), (0.0, 0.25, 0.75))
    p, q, r = 0.75 - u, 0.25 - u, 0.5 + u
    half = ((u, u, u), (p, q, r), (q, r, p), (r, p, q))
    oxygen = (*half, *((-x, -y, -z) for x, y, z in half))
    metals = ((metal, place) for place in (*tetrahedra, *octahedra))
    return _face_centred(a, *metals, *(("O", place) for place in oxygen))


# Rock salts, rutiles, fluorites: Wyckoff, Crystal Structures, 2nd ed., vol. 1 (1963).
# Corundums: Newnham, de Haan, Z. Kristallogr. 117, 235 (1962); Blake et al., Am. Mineral. 51, 123 (1966) for Fe2O3.
CELLS: Mapping[str, Cell] = {
    "Li2O": _face_centred(4.619, ("Li", (0.25, 0.25, 0.25)), ("Li", (0.75, 0.75, 0.75)), ("O", (0, 0, 0))),
    "LiF": _rock_salt("Li", 4.0263, "F"),
    "MgO": _rock_salt("Mg", 4.2117),
    "MnO": _rock_salt("Mn", 4.4448),
    "FeO": _rock_salt("Fe", 4.307),
    "CoO": _rock_salt("Co", 4.2667),
    "NiO": _rock_salt("Ni", 4.1769),
    "TiO2": _rutile("Ti", 4.5937, 2.9587, 0.3053),
    "VO2": _rutile("V", 4.5546, 2.8514, 0.3001),
    "SnO2": _rutile("Sn", 4.7374, 3.1864, 0.3071),
    "CrO2": _rutile("Cr", 4.419, 2.9154, 0.301),
    "MnO2": _rutile("Mn", 4.3983, 2.8730, 0.3046),
    "Al2O3": _corundum("Al", 4.7589, 12.991, 0.3522, 0.3063),
    "Ti2O3": _corundum("Ti", 5.149, 13.642, 0.3450, 0.3130),
    "V2O3": _corundum("V", 4.9515, 14.003, 0.3463, 0.3116),
    "Cr2O3": _corundum("Cr", 4.9607, 13.599, 0.3475, 0.3058),
    "Fe2O3": _corundum("Fe", 5.038, 13.772, 0.3553, 0.3059),
    "ZnO": Cell(
        "P6_3mc", (3.2498, 3.2498, 5.2066), (("Zn", (1 / 3, 2 / 3, 0)), ("O", (1 / 3, 2 / 3, 0.3821))), HEXAGONAL
    ),
    # Howard, Hill, Reichert, Acta Cryst. B 44, 116 (1988)
    "ZrO2": Cell(
        "P2_1/c",
        (5.1505, 5.2116, 5.3173),
        (("Zr", (0.2754, 0.0395, 0.2083)), ("O", (0.0700, 0.3317, 0.3447)), ("O", (0.4496, 0.7569, 0.4792))),
        (90.0, 99.23, 90.0),
    ),
    # Kihlborg, Ark. Kemi 21, 357 (1963), axes as in Pnma
    "MoO3": Cell(
        "Pnma",
        (13.855, 3.6964, 3.9628),
        (
            ("Mo", (0.1016, 0.25, 0.0867)),
            ("O", (0.4351, 0.25, 0.4994)),
            ("O", (0.0866, 0.25, 0.5212)),
            ("O", (0.2214, 0.25, 0.0373)),
        ),
    ),
    # Smith, Hobbs, Acta Cryst. B 29, 362 (1973)
    "Co3O4": _spinel("Co", 8.084, 0.2631),
    # Fleet, Acta Cryst. B 37, 917 (1981)
    "Fe3O4": _spinel("Fe", 8.3941, 0.2549),
    # Jarosch, Mineral. Petrol. 37, 15 (1987)
    "Mn3O4": Cell(
        "I41/amd:2",
        (5.765, 5.765, 9.442),
        (("Mn", (0, 0.75, 0.125)), ("Mn", (0, 0, 0.5)), ("O", (0, 0.4715, 0.2595))),
    ),
    # Enjalbert, Galy, Acta Cryst. C 42, 1467 (1986)
    "V2O5": Cell(
        "Pmmn:2",
        (11.512, 3.564, 4.368),
        (
            ("V", (0.1012, 0.25, -0.1083)),
            ("O", (0.1043, 0.25, -0.469)),
            ("O", (-0.0689, 0.25, 0.003)),
            ("O", (0.25, 0.25, 0.001)),
        ),
    ),
    # Åsbrink, Norrby, Acta Cryst. B 26, 8 (1970)
    "CuO": Cell(
        "C2/c", (4.6837, 3.4226, 5.1288), (("Cu", (0.25, 0.25, 0)), ("O", (0, 0.4184, 0.25))), (90.0, 99.54, 90.0)
    ),
    "Cu2O": Cell("Pn-3m:2", (4.2696,) * 3, (("Cu", (0, 0, 0)), ("O", (0.25, 0.25, 0.25)))),
    # Effenberger, Zemann, Z. Kristallogr. 150, 133 (1979)
    "Li2CO3": Cell(
        "C2/c",
        (8.359, 4.973, 6.197),
        (
            ("Li", (0.1965, 0.4488, 0.8345)),
            ("C", (0, 0.0657, 0.25)),
            ("O", (0, 0.3209, 0.25)),
            ("O", (0.1459, -0.0655, 0.3128)),
        ),
        (90.0, 114.83, 90.0),
    ),
    # Keffer et al., Inorg. Chem. 6, 119 (1967)
    "Li3PO4": Cell(
        "Pmn2_1",
        (6.115, 5.2394, 4.8554),
        (
            ("Li", (0.248, 0.328, 0.986)),
            ("Li", (0.5, 0.843, 0.989)),
            ("P", (0, 0.8243, 0)),
            ("O", (0.2084, 0.6847, 0.8975)),
            ("O", (0, 0.1065, 0.895)),
            ("O", (0.5, 0.1852, 0.8248)),
        ),
    ),
    # Hesse, Acta Cryst. B 33, 901 (1977)
    "Li2SiO3": Cell(
        "Cmc2_1",
        (9.392, 5.397, 4.660),
        (
            ("Li", (0.174, 0.346, 0)),
            ("Si", (0, 0.170, 0.493)),
            ("O", (0.1446, 0.3077, 0.4105)),
            ("O", (0, 0.1132, 0.8524)),
        ),
    ),
    # Noh et al., J. Power Sources 233, 121 (2013); oxygen as in LiNiO2
    "LiNi0.8Mn0.1Co0.1O2": Cell(
        "R-3m",
        (2.872, 2.872, 14.207),
        (("Li", (0, 0, 0.5)), ({"Ni": 0.8, "Mn": 0.1, "Co": 0.1}, (0, 0, 0)), ("O", (0, 0, 0.2590))),
        HEXAGONAL,
    ),
}
TARGETS = ("LiNi0.8Mn0.1Co0.1O2",)
AMBIENT = frozenset({"O", "C"})  # every powder meets these in the furnace and in store


def impurities(elements: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the reference phases that a powder of these elements may hold.

    Carbonates and oxides may form from any powder, so carbon and oxygen are always allowed.
    """
    allowed = frozenset(elements) | AMBIENT
    return tuple(name for name in CELLS if name not in TARGETS and _elements(name) <= allowed)


def reference_structure(name: str) -> Structure:
    """Return a new copy of a reference crystal.

    Raises:
        LabError: no reference phase has this name.
    """
    if name not in CELLS:
        raise LabError(
            f"no reference phase {name!r}; allowed: {', '.join(sorted(CELLS))}; "
            "add it to instruments/analyses/reference_phases.py"
        )
    return CELLS[name].structure()


def reference_phase(name: str, radiation: Radiation = COPPER, limits: tuple[float, float] = RANGE) -> ReferencePhase:
    """Return the reflections of a phase of this library.

    Args:
        name: of the phase.
        radiation: the X-rays.
        limits: 2 theta [deg] within which reflections are wanted.

    Raises:
        LabError: no reference phase has this name.
    """
    return reference(name, reference_structure(name), radiation, limits)


def reference(
    name: str, structure: Structure, radiation: Radiation = COPPER, limits: tuple[float, float] = RANGE
) -> ReferencePhase:
    """Return the reflections of any crystal; equal structures are computed once.

    Structure factors by pymatgen's ``XRDCalculator``: atomic form factors and Lorentz-polarisation, no absorption.
    """
    return _reference(name, structure.to(fmt="json"), radiation, limits)


@lru_cache(maxsize=1024)
def _reference(name: str, encoded: str, radiation: Radiation, limits: tuple[float, float]) -> ReferencePhase:
    structure = Structure.from_str(encoded, fmt="json")
    wanted = (max(limits[0] - MARGIN, 0.0), min(limits[1] + MARGIN, 180.0))
    calculator = XRDCalculator(wavelength=radiation.wavelengths[0])
    pattern = calculator.get_pattern(structure, scaled=False, two_theta_range=wanted)
    intensity = np.asarray(pattern.y, dtype=float)
    strong = np.flatnonzero(intensity > WEAKEST * intensity.max(initial=0.0))
    # Forms of planes at one angle stand for themselves, since texture tells them apart.
    forms = [(i, form["hkl"], form["multiplicity"]) for i in strong for form in pattern.hkls[i]]
    totals = {i: sum(form["multiplicity"] for form in pattern.hkls[i]) for i in strong}
    symmetry = rotations(structure, SLACK)
    normals = _normals(structure.lattice, [hkl for _, hkl, _ in forms])
    strongest = np.argsort(-intensity[[i for i, _, _ in forms]], kind="stable")[:STRONGEST]
    return ReferencePhase(
        name,
        np.array([pattern.x[i] for i, _, _ in forms], dtype=float),
        np.array([intensity[i] * count / totals[i] for i, _, count in forms], dtype=float),
        float(structure.composition.weight) * structure.volume,
        radiation,
        normals,
        symmetry,
        _texture_axes(structure.lattice, symmetry, normals[strongest]),
    )


def _normals(lattice: Lattice, planes: Sequence[Sequence[int]]) -> FloatArray:
    """Return unit vectors across planes, k x 3, given their Miller (or Miller-Bravais) indices."""
    indices = np.array([(*hkl[:2], hkl[-1]) for hkl in planes], dtype=float).reshape(-1, 3)
    vectors = indices @ lattice.reciprocal_lattice.matrix
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _texture_axes(lattice: Lattice, symmetry: FloatArray, strongest: FloatArray) -> FloatArray:
    """Return unit vectors, a x 3, across widely spaced and strongly reflecting planes; one of each form."""
    indices = np.array([hkl for hkl in itertools.product((0, 1, -1), repeat=3) if any(hkl)])
    vectors = indices @ lattice.reciprocal_lattice.matrix
    sizes = np.linalg.norm(vectors, axis=1)
    low = (vectors / sizes[:, None])[np.argsort(sizes.round(6), kind="stable")]
    return _one_of_each(_one_of_each(low, symmetry)[:LOW_INDEX], symmetry, strongest)


def _one_of_each(first: FloatArray, symmetry: FloatArray, then: FloatArray | None = None) -> FloatArray:
    """Return unit vectors, a x 3, without those that symmetry makes of others."""
    kept: list[FloatArray] = []
    for unit in first if then is None else np.concatenate([first, then]):
        if not any((np.abs(symmetry @ unit @ other) > 0.999).any() for other in kept):
            kept.append(unit)
    return np.array(kept)


@lru_cache(maxsize=128)
def _elements(name: str) -> frozenset[str]:
    return frozenset(str(element) for element in Composition(name).elements)
