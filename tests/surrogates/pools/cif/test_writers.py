"""The CIFs that programs write are read as the structures that were written."""

import io

import pytest
from ase.io import write
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifWriter

from surrogates.pools.structure_parsing import read_noted
from tests.space_groups import crystal_of


def crystal(group: str, cell: Lattice, atoms: str) -> Structure:
    rows = [row.split() for row in atoms.split(", ")]
    return crystal_of(group, cell, [row[0] for row in rows], [[*map(float, row[1:])] for row in rows])


CRYSTALS = {
    "P-1": crystal("P-1", Lattice.from_parameters(5.1, 6.2, 7.3, 81, 95, 104), "Na .13 .24 .31, Cl .61 .72 .18"),
    "P2_1/c": crystal(
        "P2_1/c",
        Lattice.monoclinic(5.15, 5.21, 5.32, 99.2),
        "Zr .2754 .0395 .2083, O .07 .332 .3447, O .45 .7569 .4792",
    ),
    "C2/m": crystal("C2/m", Lattice.monoclinic(5.42, 2.92, 5.39, 115.2), "Na 0 .5 .5, Mn 0 0 0, O .2883 0 .798"),
    "Pnma": crystal(
        "Pnma",
        Lattice.orthorhombic(10.332, 6.01, 4.692),
        "Li 0 0 0, Fe .2822 .25 .9747, P .0948 .25 .418, O .0968 .25 .7428, O .4571 .25 .2060, O .1656 .0465 .2848",
    ),
    "Cmcm": crystal("Cmcm", Lattice.orthorhombic(2.87, 9.87, 7.1), "V 0 .4 .25, Se 0 .1 .25"),
    "P4_2/mnm": crystal("P4_2/mnm", Lattice.tetragonal(4.594, 2.959), "Ti 0 0 0, O .3053 .3053 0"),
    "I4_1/amd": crystal("I4_1/amd", Lattice.tetragonal(3.785, 9.514), "Ti 0 0 0, O 0 0 .2081"),
    "R-3m": crystal("R-3m", Lattice.hexagonal(2.816, 14.05), "Li 0 0 .5, Co 0 0 0, O 0 0 .2605"),
    "R3c": crystal("R3c", Lattice.hexagonal(5.148, 13.863), "Li 0 0 .2787, Nb 0 0 0, O .0492 .3446 .0647"),
    "P3_221": crystal("P3_221", Lattice.hexagonal(4.913, 5.405), "Si .4697 0 .6666666667, O .4135 .2669 .7858"),
    "P6_3mc": crystal(
        "P6_3mc", Lattice.hexagonal(3.25, 5.207), "Zn .3333333333 .6666666667 0, O .3333333333 .6666666667 .3821"
    ),
    "Pm-3m": crystal("Pm-3m", Lattice.cubic(3.905), "Sr 0 0 0, Ti .5 .5 .5, O .5 .5 0"),
    "F-43m": crystal("F-43m", Lattice.cubic(5.42), "Zn 0 0 0, S .25 .25 .25"),
    "Fm-3m": crystal("Fm-3m", Lattice.cubic(5.64), "Na 0 0 0, Cl .5 .5 .5"),
    "Fd-3m": crystal("Fd-3m", Lattice.cubic(8.08), "Mg .125 .125 .125, Al .5 .5 .5, O .2624 .2624 .2624"),
    "Ia-3": crystal("Ia-3", Lattice.cubic(9.845), "Mn .25 .25 .25, Mn .97 0 .25, O .385 .145 .38"),
}


def cells(structure: Structure) -> list[Structure]:
    return [structure, structure.get_primitive_structure()]


def assert_same(text: str, structure: Structure, exact: float) -> None:
    reading = read_noted(text)
    assert reading.structure.composition.reduced_composition == structure.composition.reduced_composition
    assert reading.structure.density == pytest.approx(structure.density, rel=exact)
    assert StructureMatcher(ltol=0.02, stol=0.02, angle_tol=1, scale=False).fit(reading.structure, structure)
    assert not [
        note for note in reading.notes if "says nothing of its symmetry" not in note and "was read as" not in note
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of spglib, which pymatgen calls
@pytest.mark.parametrize("group", CRYSTALS)
@pytest.mark.parametrize(("figures", "symprec"), [(3, None), (3, 0.01), (5, 0.1), (8, 0.01)])
def test_what_pymatgen_writes_is_read(group: str, figures: int, symprec: float | None) -> None:
    for structure in cells(CRYSTALS[group]):
        text = str(CifWriter(structure, symprec=symprec, significant_figures=figures))
        assert_same(text, structure, 10.0**-figures * 5)


@pytest.mark.parametrize("group", CRYSTALS)
def test_what_ase_writes_is_read(group: str) -> None:
    for structure in cells(CRYSTALS[group]):
        out = io.BytesIO()
        write(out, AseAtomsAdaptor.get_atoms(structure), format="cif")
        assert_same(out.getvalue().decode(), structure, 1e-4)
