"""Crystals for synthetic powder patterns, written down apart from the library of the analysis that is tried on them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from pymatgen.core import Lattice, Structure

Cell = tuple[str, tuple[float, ...], tuple[tuple[str, tuple[float, float, float]], ...]]
"""Space group, a, b, c [Å], alpha, beta, gamma [deg], and the sites."""


def _cubic(group: str, a: float, *sites: tuple[str, tuple[float, float, float]]) -> Cell:
    return group, (a, a, a, 90, 90, 90), sites


def _tetragonal(group: str, a: float, c: float, *sites: tuple[str, tuple[float, float, float]]) -> Cell:
    return group, (a, a, c, 90, 90, 90), sites


def _hexagonal(group: str, a: float, c: float, *sites: tuple[str, tuple[float, float, float]]) -> Cell:
    return group, (a, a, c, 90, 90, 120), sites


def _orthorhombic(group: str, abc: tuple[float, float, float], *sites: tuple[str, tuple[float, float, float]]) -> Cell:
    return group, (*abc, 90, 90, 90), sites


CELLS: Mapping[str, Cell] = {
    "LiCoO2": _hexagonal("R-3m", 2.8155, 14.054, ("Li", (0, 0, 0.5)), ("Co", (0, 0, 0)), ("O", (0, 0, 0.2605))),
    "MgAl2O4": _cubic("Fd-3m:2", 8.0806, ("Mg", (0.125,) * 3), ("Al", (0.5,) * 3), ("O", (0.2624,) * 3)),
    "LiMn2O4": _cubic("Fd-3m:2", 8.2476, ("Li", (0.125,) * 3), ("Mn", (0.5,) * 3), ("O", (0.2632,) * 3)),
    "ZrSiO4": _tetragonal(
        "I41/amd:2", 6.607, 5.982, ("Zr", (0, 0.75, 0.125)), ("Si", (0, 0.25, 0.375)), ("O", (0, 0.0661, 0.1953))
    ),
    "FeTiO3": _hexagonal(
        "R-3", 5.0884, 14.0855, ("Fe", (0, 0, 0.3554)), ("Ti", (0, 0, 0.1464)), ("O", (0.3174, 0.0233, 0.2451))
    ),
    "MgTiO3": _hexagonal(
        "R-3", 5.0548, 13.8992, ("Mg", (0, 0, 0.3557)), ("Ti", (0, 0, 0.1451)), ("O", (0.3159, 0.0215, 0.2464))
    ),
    "LiFePO4": _orthorhombic(
        "Pnma",
        (10.332, 6.010, 4.692),
        ("Li", (0, 0, 0)),
        ("Fe", (0.2822, 0.25, 0.9747)),
        ("P", (0.0948, 0.25, 0.4182)),
        ("O", (0.0968, 0.25, 0.7428)),
        ("O", (0.4571, 0.25, 0.2060)),
        ("O", (0.1656, 0.0465, 0.2848)),
    ),
    "CuFeO2": _hexagonal("R-3m", 3.0351, 17.166, ("Cu", (0, 0, 0)), ("Fe", (0, 0, 0.5)), ("O", (0, 0, 0.1066))),
    "Mg2SiO4": _orthorhombic(
        "Pnma",
        (10.1971, 5.9806, 4.7540),
        ("Mg", (0, 0, 0)),
        ("Mg", (0.2774, 0.25, 0.9915)),
        ("Si", (0.0940, 0.25, 0.4262)),
        ("O", (0.0913, 0.25, 0.7657)),
        ("O", (0.4474, 0.25, 0.2215)),
        ("O", (0.1628, 0.0331, 0.2777)),
    ),
    "SrTiO3": _cubic("Pm-3m", 3.905, ("Sr", (0, 0, 0)), ("Ti", (0.5,) * 3), ("O", (0.5, 0.5, 0))),
    "MnO": _cubic("Fm-3m", 4.4448, ("Mn", (0, 0, 0)), ("O", (0.5,) * 3)),
    "Fe2O3": _hexagonal("R-3c", 5.038, 13.772, ("Fe", (0, 0, 0.3553)), ("O", (0.3059, 0, 0.25))),
    "Co3O4": _cubic("Fd-3m:2", 8.084, ("Co", (0.125,) * 3), ("Co", (0.5,) * 3), ("O", (0.2631,) * 3)),
    "CoO": _cubic("Fm-3m", 4.2667, ("Co", (0, 0, 0)), ("O", (0.5,) * 3)),
    "MgO": _cubic("Fm-3m", 4.2117, ("Mg", (0, 0, 0)), ("O", (0.5,) * 3)),
    "NiO": _cubic("Fm-3m", 4.1769, ("Ni", (0, 0, 0)), ("O", (0.5,) * 3)),
    "Cu2O": _cubic("Pn-3m:2", 4.2696, ("Cu", (0, 0, 0)), ("O", (0.25,) * 3)),
    "Al2O3": _hexagonal("R-3c", 4.7589, 12.991, ("Al", (0, 0, 0.3522)), ("O", (0.3063, 0, 0.25))),
    "TiO2": _tetragonal("P4_2/mnm", 4.5937, 2.9587, ("Ti", (0, 0, 0)), ("O", (0.3053, 0.3053, 0))),
    "MnO2": _tetragonal("P4_2/mnm", 4.3983, 2.8730, ("Mn", (0, 0, 0)), ("O", (0.3046, 0.3046, 0))),
    "Mn3O4": _tetragonal(
        "I41/amd:2", 5.765, 9.442, ("Mn", (0, 0.75, 0.125)), ("Mn", (0, 0, 0.5)), ("O", (0, 0.4715, 0.2595))
    ),
    "ZrO2": (
        "P2_1/c",
        (5.1505, 5.2116, 5.3173, 90, 99.23, 90),
        (("Zr", (0.2754, 0.0395, 0.2083)), ("O", (0.0700, 0.3317, 0.3447)), ("O", (0.4496, 0.7569, 0.4792))),
    ),
    "CuO": ("C2/c", (4.6837, 3.4226, 5.1288, 90, 99.54, 90), (("Cu", (0.25, 0.25, 0)), ("O", (0, 0.4184, 0.25)))),
    "Li2CO3": (
        "C2/c",
        (8.359, 4.973, 6.197, 90, 114.83, 90),
        (
            ("Li", (0.1965, 0.4488, 0.8345)),
            ("C", (0, 0.0657, 0.25)),
            ("O", (0, 0.3209, 0.25)),
            ("O", (0.1459, -0.0655, 0.3128)),
        ),
    ),
    "Li3PO4": _orthorhombic(
        "Pmn2_1",
        (6.115, 5.2394, 4.8554),
        ("Li", (0.248, 0.328, 0.986)),
        ("Li", (0.5, 0.843, 0.989)),
        ("P", (0, 0.8243, 0)),
        ("O", (0.2084, 0.6847, 0.8975)),
        ("O", (0, 0.1065, 0.895)),
        ("O", (0.5, 0.1852, 0.8248)),
    ),
    "quartz": _hexagonal("P3_221", 4.9134, 5.4052, ("Si", (0.4697, 0, 2 / 3)), ("O", (0.4135, 0.2669, 0.7858))),
    "calcite": _hexagonal("R-3c", 4.9896, 17.061, ("Ca", (0, 0, 0)), ("C", (0, 0, 0.25)), ("O", (0.2568, 0, 0.25))),
    "bixbyite": _cubic("Ia-3", 9.41, ("Mn", (0.25,) * 3), ("Mn", (0.285, 0, 0.25)), ("O", (0.385, 0.145, 0.38))),
    "anatase": _tetragonal("I41/amd:2", 3.785, 9.514, ("Ti", (0, 0.75, 0.125)), ("O", (0, 0.75, 0.3331))),
    "silicon": _cubic("Fd-3m:2", 5.431, ("Si", (0.125,) * 3)),
    "halite": _cubic("Fm-3m", 5.6402, ("Na", (0, 0, 0)), ("Cl", (0.5,) * 3)),
    "fluorite": _cubic("Fm-3m", 5.4626, ("Ca", (0, 0, 0)), ("F", (0.25,) * 3)),
    "LaB6": _cubic("Pm-3m", 4.1569, ("La", (0, 0, 0)), ("B", (0.1998, 0.5, 0.5))),
    "ceria": _cubic("Fm-3m", 5.4113, ("Ce", (0, 0, 0)), ("O", (0.25,) * 3)),
    "brucite": _hexagonal(
        "P-3m1", 3.142, 4.766, ("Mg", (0, 0, 0)), ("O", (1 / 3, 2 / 3, 0.2216)), ("H", (1 / 3, 2 / 3, 0.4303))
    ),
    "nitride": _hexagonal("P6_3/mmc", 2.504, 6.661, ("B", (1 / 3, 2 / 3, 0.25)), ("N", (2 / 3, 1 / 3, 0.25))),
    "yttria": _cubic("Ia-3", 10.604, ("Y", (0.25,) * 3), ("Y", (0.9675, 0, 0.25)), ("O", (0.391, 0.152, 0.380))),
    "LiMnO2": _orthorhombic(
        "Pmmn:2",
        (2.81, 4.57, 5.75),
        ("Li", (0.25, 0.25, 0.13)),
        ("Mn", (0.25, 0.75, 0.63)),
        ("O", (0.25, 0.25, 0.60)),
        ("O", (0.25, 0.75, 0.14)),
    ),
}
"""Cells as in the handbooks; ``tests/benchmarks/test_phases.py`` checks distances."""

PARTNERS: Mapping[str, tuple[str, ...]] = {
    "LiCoO2": ("Co3O4", "CoO", "Li2CO3"),
    "MgAl2O4": ("MgO", "Al2O3"),
    "LiMn2O4": ("Mn3O4", "MnO2", "Li2CO3"),
    "ZrSiO4": ("ZrO2",),
    "FeTiO3": ("Fe2O3", "TiO2"),
    "MgTiO3": ("MgO", "TiO2"),
    "LiFePO4": ("Fe2O3", "Li3PO4", "Li2CO3"),
    "CuFeO2": ("CuO", "Cu2O", "Fe2O3"),
    "Mg2SiO4": ("MgO",),
    "SrTiO3": ("TiO2",),
    "LiMnO2": ("MnO", "Mn3O4", "Li2CO3"),
}
"""Target to phases that the library knows beside it."""
STRANGERS = (
    "quartz", "calcite", "bixbyite", "anatase", "silicon", "halite", "fluorite", "LaB6", "ceria", "brucite", "nitride",
    "yttria",
)  # fmt: skip
"""Phases that the library lacks."""


@lru_cache(maxsize=64)
def crystal(name: str) -> Structure:
    """Return a crystal by its name."""
    group, parameters, sites = CELLS[name]
    lattice = Lattice.from_parameters(*parameters)
    return Structure.from_spacegroup(group, lattice, [s for s, _ in sites], [list(xyz) for _, xyz in sites])
