"""Published crystal structures whose metal sites are substituted, as primitive cells with a role for each site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

Site = tuple[str, tuple[float, float, float]]
Matrix = tuple[tuple[int, int, int], ...]
UNIT: Matrix = ((1, 0, 0), (0, 1, 0), (0, 0, 1))

STAND_INS: Mapping[str, str] = {"Li": "Li", "M": "Fe", "X": "P", "O": "O", "F": "F"}
"""Role of a site to the element that stands for it while symmetry is applied."""


@dataclass(frozen=True)
class Framework:
    """One published structure.

    Attributes:
        name: family that the structure gives its name to.
        source: space group and reference, with the AFLOW label where the AFLOW library holds the type.
        group: space group with its setting; ``:2`` is origin choice 2, at the centre of symmetry.
        cell: a, b, c in Å and alpha, beta, gamma in degrees.
        sites: role and fractional coordinates of each site of the asymmetric unit.
        metals: element to number on the metal sites of one formula unit, in the published compound.
        centre: element on the tetrahedral sites X; empty where there are none.
        coordination: role to number of anion neighbours.
    """

    name: str
    source: str
    group: str
    cell: tuple[float, float, float, float, float, float]
    sites: tuple[Site, ...]
    metals: Mapping[str, int]
    centre: str
    coordination: Mapping[str, int]

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A framework's cell without elements: n sites, sorted by role and position.

    Attributes:
        lattice: 3 x 3, Å, rows are the cell's edges.
        coords: n x 3, fractional.
        roles: n roles.
        tetrahedra: k x 2, sites (X, O) of each bond between a tetrahedral centre and its oxygen.
        vectors: k x 3, Å, from X to O.
    """

    lattice: NDArray[np.float64]
    coords: NDArray[np.float64]
    roles: tuple[str, ...]
    tetrahedra: NDArray[np.int64]
    vectors: NDArray[np.float64]


@cache
def skeleton(framework: Framework, supercell: Matrix = UNIT) -> Skeleton:
    """Return the primitive cell of a framework, or a supercell of it."""
    cell = _primitive(framework).copy()
    cell.make_supercell(supercell)
    return _sorted(cell)


@cache
def _primitive(framework: Framework) -> Structure:
    labels = [STAND_INS[role] for role, _ in framework.sites]
    lattice = Lattice.from_parameters(*framework.cell)
    coords = [xyz for _, xyz in framework.sites]
    return Structure.from_spacegroup(framework.group, lattice, labels, coords).get_primitive_structure()


def _sorted(cell: Structure) -> Skeleton:
    order = list(STAND_INS.values())
    wrapped = np.round(cell.frac_coords, 4) % 1.0
    ranks = sorted(range(len(cell)), key=lambda i: (order.index(cell[i].specie.symbol), *wrapped[i]))
    coords = cell.frac_coords[ranks]
    roles = tuple(list(STAND_INS)[order.index(cell[i].specie.symbol)] for i in ranks)
    first, second, images, distances = Structure(
        cell.lattice, [cell[i].specie for i in ranks], coords
    ).get_neighbor_list(2.0)
    bonded = np.array([roles[i] == "X" and roles[j] == "O" for i, j in zip(first, second, strict=True)], dtype=bool)
    bonded &= distances < 1.9
    pairs = np.stack([first, second], axis=1)[bonded].astype(np.int64)
    steps = coords[pairs[:, 1]] + images[bonded] - coords[pairs[:, 0]]
    return Skeleton(cell.lattice.matrix, coords, roles, pairs, steps @ cell.lattice.matrix)


LAYERED = Framework(
    "layered",
    "R-3m, LiCoO2 (AFLOW ABC2_hR4_166_a_b_c): Akimoto, Gotoh and Oosawa, J. Solid State Chem. 141, 298 (1998)",
    "R-3m",
    (2.8161, 2.8161, 14.0536, 90, 90, 120),
    (("Li", (0, 0, 0.5)), ("M", (0, 0, 0)), ("O", (0, 0, 0.2605))),
    {"Co": 1},
    "",
    {"Li": 6, "M": 6},
)

ROCKSALT = Framework(
    "rocksalt",
    "I4_1/amd, tetragonal ordered rock salt, gamma-LiFeO2: Cox et al., Phys. Rev. 132, 1547 (1963)",
    "I4_1/amd",
    (4.057, 4.057, 8.759, 90, 90, 90),
    (("Li", (0, 0, 0.5)), ("M", (0, 0, 0)), ("O", (0, 0, 0.25))),
    {"Fe": 1},
    "",
    {"Li": 6, "M": 6},
)

ZIGZAG = Framework(
    "zigzag",
    "Pmmn, orthorhombic LiMnO2: Hoppe, Brachtel and Jansen, Z. anorg. allg. Chem. 417, 1 (1975)",
    "Pmmn",
    (2.805, 4.572, 5.757, 90, 90, 90),
    (("Li", (0, 0, 0.126)), ("M", (0, 0, 0.635)), ("O", (0, 0.5, 0.144)), ("O", (0, 0.5, 0.602))),
    {"Mn": 1},
    "",
    {"Li": 6, "M": 6},
)

LITHIUM_RICH = Framework(
    "lithium-rich",
    "C2/m, Li2MnO3: Strobel and Lambert-Andron, J. Solid State Chem. 75, 90 (1988)",
    "C2/m",
    (4.937, 8.532, 5.030, 90, 109.46, 90),
    (
        ("Li", (0, 0.5, 0)),
        ("Li", (0, 0, 0.5)),
        ("Li", (0, 0.6606, 0.5)),
        ("M", (0, 0.16708, 0)),
        ("O", (0.2189, 0, 0.2273)),
        ("O", (0.2540, 0.32119, 0.2233)),
    ),
    {"Mn": 1},
    "",
    {"Li": 6, "M": 6},
)

SPINEL = Framework(
    "spinel",
    "Fd-3m, origin choice 2 (AFLOW A2BC4_cF56_227_d_a_e), LiMn2O4: Akimoto et al., Chem. Mater. 12, 3246 (2000)",
    "Fd-3m:2",
    (8.2476, 8.2476, 8.2476, 90, 90, 90),
    (("Li", (0.125, 0.125, 0.125)), ("M", (0.5, 0.5, 0.5)), ("O", (0.2632, 0.2632, 0.2632))),
    {"Mn": 2},
    "",
    {"Li": 4, "M": 6},
)

OLIVINE = Framework(
    "olivine",
    "Pnma, triphylite LiFePO4: Streltsov et al., Acta Cryst. B49, 147 (1993)",
    "Pnma",
    (10.332, 6.010, 4.692, 90, 90, 90),
    (
        ("Li", (0, 0, 0)),
        ("M", (0.28222, 0.25, 0.97472)),
        ("X", (0.09486, 0.25, 0.41820)),
        ("O", (0.0968, 0.25, 0.7428)),
        ("O", (0.4571, 0.25, 0.2060)),
        ("O", (0.1656, 0.0465, 0.2848)),
    ),
    {"Fe": 1},
    "P",
    {"Li": 6, "M": 6, "X": 4},
)

TAVORITE = Framework(
    "tavorite",
    "P-1, LiVPO4F: Ateba Mba et al., Chem. Mater. 24, 1223 (2012)",
    "P-1",
    (5.1708, 5.3083, 7.2631, 107.58, 107.95, 98.45),
    (
        ("M", (0, 0, 0)),
        ("M", (0, 0, 0.5)),
        ("X", (0.3193, 0.6456, 0.2514)),
        ("F", (-0.1204, 0.0925, 0.2439)),
        ("O", (0.3690, 0.2446, 0.5811)),
        ("O", (0.1140, 0.6696, 0.3628)),
        ("O", (0.3210, 0.3380, 0.1388)),
        ("O", (0.2775, 0.7968, 0.0920)),
        ("Li", (0.7090, 0.3930, 0.2210)),
    ),
    {"V": 1},
    "P",
    {"Li": 5, "M": 6, "X": 4},
)

NASICON = Framework(
    "nasicon",
    "R-3c, LiTi2(PO4)3: Aatiq et al., J. Mater. Chem. 12, 2971 (2002)",
    "R-3c",
    (8.511, 8.511, 20.843, 90, 90, 120),
    (
        ("Li", (0, 0, 0)),
        ("M", (0, 0, 0.1415)),
        ("X", (0.2899, 0, 0.25)),
        ("O", (0.1859, 0.9955, 0.1903)),
        ("O", (0.1895, 0.1645, 0.0813)),
    ),
    {"Ti": 2},
    "P",
    {"Li": 6, "M": 6, "X": 4},
)

PYROXENE = Framework(
    "pyroxene",
    "C2/c, spodumene LiAlSi2O6: Cameron et al., Am. Mineral. 58, 594 (1973)",
    "C2/c",
    (9.461, 8.395, 5.217, 90, 110.09, 90),
    (
        ("Li", (0, 0.2752, 0.25)),
        ("M", (0, 0.9066, 0.25)),
        ("X", (0.2941, 0.0935, 0.2560)),
        ("O", (0.1097, 0.0823, 0.1402)),
        ("O", (0.3647, 0.2673, 0.3009)),
        ("O", (0.3565, 0.9871, 0.0578)),
    ),
    {"Al": 1},
    "Si",
    {"Li": 6, "M": 6, "X": 4},
)

ORTHOSILICATE = Framework(
    "orthosilicate",
    "Pmn2_1, Li2FeSiO4: cell of Nyten et al., Electrochem. Commun. 7, 156 (2005), on the positions of isotypic Li3PO4:"
    " Keffer et al., Inorg. Chem. 6, 119 (1967)",
    "Pmn2_1",
    (6.2661, 5.3295, 5.0148, 90, 90, 90),
    (
        ("Li", (0.248, 0.328, 0.986)),
        ("M", (0.5, 0.843, 0.989)),
        ("X", (0, 0.8243, 0)),
        ("O", (0.2077, 0.6863, 0.8936)),
        ("O", (0, 0.1059, 0.8979)),
        ("O", (0.5, 0.1851, 0.8248)),
    ),
    {"Fe": 1},
    "Si",
    {"Li": 4, "M": 4, "X": 4},
)

INVERSE_SPINEL = Framework(
    "inverse-spinel",
    "Fd-3m, origin choice 2, LiNiVO4 with Li and Ni on 16d: Fey, Li and Dahn, J. Electrochem. Soc. 141, 2279 (1994)",
    "Fd-3m:2",
    (8.2198, 8.2198, 8.2198, 90, 90, 90),
    (("X", (0.125, 0.125, 0.125)), ("M", (0.5, 0.5, 0.5)), ("O", (0.2452, 0.2452, 0.2452))),
    {"Ni": 1, "Li": 1},
    "V",
    {"Li": 6, "M": 6, "X": 4},
)
