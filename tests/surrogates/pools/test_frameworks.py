import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from surrogates.pools import frameworks as known
from surrogates.pools.frameworks import STAND_INS, Framework, skeleton

ALL = [value for value in vars(known).values() if isinstance(value, Framework)]


def cell(framework: Framework) -> Structure:
    bones = skeleton(framework)
    return Structure(bones.lattice, [STAND_INS[role] for role in bones.roles], bones.coords)


def bonds(framework: Framework, role: str, reach: float) -> list[float]:
    """Distances in Å from the sites of a role to oxygen and fluorine, each once."""
    bones = skeleton(framework)
    first, second, _, distance = cell(framework).get_neighbor_list(reach)
    pairs = zip(first, second, distance, strict=True)
    return sorted({round(float(d), 2) for i, j, d in pairs if bones.roles[i] == role and bones.roles[j] in "OF"})


@pytest.mark.parametrize(
    ("framework", "role", "reach", "shortest", "longest"),
    [
        (known.LAYERED, "M", 2.5, 1.92, 1.92),
        (known.LAYERED, "Li", 2.5, 2.09, 2.09),
        (known.SPINEL, "M", 2.5, 1.96, 1.96),
        (known.SPINEL, "Li", 2.5, 1.97, 1.97),
        (known.OLIVINE, "M", 2.6, 2.06, 2.25),
        (known.OLIVINE, "X", 2.0, 1.52, 1.56),
        (known.OLIVINE, "Li", 2.6, 2.09, 2.19),
        (known.TAVORITE, "M", 2.4, 1.94, 2.02),
        (known.TAVORITE, "X", 2.0, 1.51, 1.59),
        (known.PYROXENE, "M", 2.4, 1.82, 2.00),
        (known.PYROXENE, "X", 2.0, 1.59, 1.64),
        (known.NASICON, "M", 2.4, 1.90, 1.97),
        (known.ZIGZAG, "M", 2.6, 1.89, 2.30),
        (known.LITHIUM_RICH, "M", 2.4, 1.90, 1.92),
    ],
)
def test_bonds_are_the_published_ones(
    framework: Framework, role: str, reach: float, shortest: float, longest: float
) -> None:
    lengths = bonds(framework, role, reach)
    assert lengths[0] == pytest.approx(shortest, abs=0.015)
    assert lengths[-1] == pytest.approx(longest, abs=0.015)


@pytest.mark.slow  # importing the library parses the sources of all its prototypes
@pytest.mark.parametrize(
    ("framework", "label"),
    [(known.LAYERED, "ABC2_hR4_166_a_b_c"), (known.SPINEL, "A2BC4_cF56_227_d_a_e")],
    ids=["layered", "spinel"],
)
def test_frameworks_match_those_of_the_aflow_library(framework: Framework, label: str) -> None:
    from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY

    published = next(row["snl"].structure for row in AFLOW_PROTOTYPE_LIBRARY if row["tags"]["aflow"] == label)
    assert StructureMatcher().fit_anonymous(published, cell(framework))
    assert label in framework.source


@pytest.mark.parametrize("framework", ALL, ids=lambda framework: framework.name)
def test_cells_hold_whole_formula_units_in_order(framework: Framework) -> None:
    bones = skeleton(framework)
    assert list(bones.roles) == sorted(bones.roles, key=list(STAND_INS).index)
    assert bones.roles.count("M") % sum(framework.metals.values()) == 0
    assert bool(framework.centre) == ("X" in bones.roles)
    lengths = np.linalg.norm(bones.vectors, axis=1)
    assert len(lengths) == 4 * bones.roles.count("X")
    assert set(framework.coordination) - {"Li"} == set(bones.roles) - {"Li", "O", "F"}
    assert "Li" in framework.coordination


def test_a_supercell_keeps_the_bonds() -> None:
    small, large = skeleton(known.LAYERED), skeleton(known.LAYERED, ((2, 0, 0), (0, 1, 0), (0, 0, 1)))
    assert np.linalg.det(large.lattice) == pytest.approx(2 * np.linalg.det(small.lattice))
    assert large.roles.count("M") == 2 * small.roles.count("M")
