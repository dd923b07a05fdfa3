"""What crystallographers and databases write, read as they mean it or refused with the reason."""

import re

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice

from surrogates.pools.cif.formulas import parse_formula
from surrogates.pools.cif.problems import UnreadableError
from surrogates.pools.structure_parsing import read_noted
from tests.space_groups import crystal_of
from tests.surrogates.pools.cif.texts import (
    BARE,
    COLUMNS,
    CUBIC,
    OCCUPANCY,
    ORTHO,
    P1,
    SPINEL,
    ZNO,
    listed,
    named,
    text,
)

WURTZITE = {"cell": ZNO, "symmetry": named("P 63 m c")}
ALL_EIGHT = "\n".join(
    f"{element} {element} {place}"
    for element, places in (
        ("Na", ("0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0")),
        ("Cl", (".5 .5 .5", ".5 0 0", "0 .5 0", "0 0 .5")),
    )
    for place in places
)
FIRST_ORIGIN = "Mg1 Mg2+ 0 0 0\nAl1 Al3+ 0.625 0.625 0.625\nO1 O2- 0.3873 0.3873 0.3873"
SECOND_ORIGIN = "Mg1 Mg2+ 0.125 0.125 0.125\nAl1 Al3+ 0.5 0.5 0.5\nO1 O2- 0.2624 0.2624 0.2624"
SILICON = {"cell": "5.43 5.43 5.43 90 90 90", "sites": "Si1 Si 0 0 0"}
MAGNETIC = """\
loop_
_space_group_symop_magn_operation.id
_space_group_symop_magn_operation.xyz
1 x,y,z,+1
2 -x,-y,-z,+1
loop_
_space_group_symop_magn_centering.id
_space_group_symop_magn_centering.xyz
1 x,y,z,+1
2 x+1/2,y+1/2,z,-1
"""
MOMENT = "loop_\n_atom_site_moment.label\n_atom_site_moment.crystalaxis_x\nFe1 1\n"
CARTESIAN = "label type_symbol Cartn_x Cartn_y Cartn_z"
TRANSFORMED = "".join(f"_atom_sites_Cartn_tran_matrix_{i}{j} {5.64 * (i == j)}\n" for i in (1, 2, 3) for j in (1, 2, 3))

READ = {
    "plain": ({}, "Na4 Cl4", None),
    "numbers with uncertainty": ({"cell": "5.640(1) 5.640(1) 5.640(1) 90 90. 90.000(0)"}, "Na4 Cl4", None),
    "thirds of three digits": (
        {**WURTZITE, "sites": "Zn1 Zn2+ 0.333 0.667 0\nO1 O2- 0.333 0.667 0.3821"},
        "Zn2 O2",
        "was read as 0.33333 0.66667 0",
    ),
    "thirds of two digits": ({**WURTZITE, "sites": "Zn1 Zn 0.33 0.67 0\nO1 O .33 .67 .38"}, "Zn2 O2", "was read as"),
    "thirds of four digits": ({**WURTZITE, "sites": "Zn1 Zn .3333 .6667 0\nO1 O .3333 .6667 .3821"}, "Zn2 O2", None),
    "thirds cut off": ({**WURTZITE, "sites": "Zn1 Zn 0.333 0.666 0\nO1 O 0.3333 0.6666 .3821"}, "Zn2 O2", "Zn1 at"),
    "thirds with uncertainty": (
        {**WURTZITE, "sites": "Zn1 Zn 0.3341(5) 0.6659(5) 0\nO1 O 1/3 2/3 .3821(3)"},
        "Zn2 O2",
        "Zn1 at",
    ),
    "sixths of three digits": (
        {
            "cell": "4.913 4.913 5.405 90 90 120",
            "symmetry": named("P 62 2 2"),
            "sites": "Si1 Si 0.5 0 0\nO1 O .208 .416 .167",
        },
        "Si3 O12",
        None,
    ),
    "an eighth of two digits": (
        {"cell": SPINEL, "symmetry": named("F d -3 m :2"), "sites": SECOND_ORIGIN.replace("0.125", "0.13")},
        "Mg8 Al16 O32",
        "Mg1 at 0.13 0.13 0.13 was read as 0.125 0.125 0.125",
    ),
    "a tenth is no zero": (
        {"cell": ORTHO, "symmetry": named("P 1 m 1"), "sites": "Na1 Na 0 0.1 0\nCl1 Cl .5 .4 .5"},
        "Na2 Cl2",
        None,
    ),
    "nearly full": (
        {"columns": OCCUPANCY, "sites": "Mg1 Mg 0 0 0 1.000(2)\nO1 O .5 .5 .5 0.998(5)"},
        "Mg4 O4",
        "0.998 ± 0.005 of O1 was read as 1",
    ),
    "a little more than full": (
        {"columns": OCCUPANCY, "sites": "Mg1 Mg 0 0 0 1.002(3)\nO1 O .5 .5 .5 1"},
        "Mg4 O4",
        "1.002 ± 0.003 of Mg1",
    ),
    "parts of one element": (
        {
            "columns": OCCUPANCY,
            "sites": "Fe1 Fe2+ 0 0 0 0.333\nFe2 Fe3+ 0 0 0 0.333\nFe3 Fe3+ 0 0 0 0.334\nO1 O .5 .5 .5 1",
        },
        "Fe4 O4",
        None,
    ),
    "parts of two digits": (
        {"columns": OCCUPANCY, "sites": "Fe1 Fe2+ 0 0 0 .33\nFe2 Fe3+ 0 0 0 .33\nFe3 Fe 0 0 0 .33\nO1 O .5 .5 .5 1"},
        "Fe4 O4",
        "0.33 + 0.33 + 0.33 of Fe1",
    ),
    "occupancy by default": ({"columns": OCCUPANCY, "sites": "Mg1 Mg 0 0 0 .\nO1 O .5 .5 .5 ."}, "Mg4 O4", None),
    "occupancy unknown, formula known": (
        {"columns": OCCUPANCY, "sites": "Mg1 Mg 0 0 0 ?\nO1 O .5 .5 .5 1", "extra": "_chemical_formula_sum 'Mg O'\n"},
        "Mg4 O4",
        "occupancy of Mg1 is '?'",
    ),
    "occupancy zero": (
        {"columns": OCCUPANCY, "sites": "Mg1 Mg 0 0 0 1\nO1 O .5 .5 .5 1\nLi1 Li .25 .25 .25 0"},
        "Mg4 O4",
        "Li1 has the occupancy 0",
    ),
    "dummy": (
        {"columns": f"{COLUMNS} calc_flag", "sites": "Na1 Na 0 0 0 d\nCl1 Cl .5 .5 .5 d\nCg1 Xx .25 .25 .25 dum"},
        "Na4 Cl4",
        "Cg1 is a dummy",
    ),
    "labels alone": ({"columns": BARE, "sites": "Na1 0 0 0\nCl1 .5 .5 .5"}, "Na4 Cl4", None),
    "label in capitals": ({"columns": BARE, "sites": "CA1 0 0 0\nO1 .5 .5 .5"}, "Ca4 O4", "CA1 was read as Ca"),
    "carbon alpha": (
        {"columns": BARE, "sites": "CA1 0 0 0\nO1 .5 .5 .5", "extra": "_chemical_formula_sum 'C O'\n"},
        "C4 O4",
        "CA1 was read as C",
    ),
    "charges before signs": ({"sites": "Na1 Na1+ 0 0 0\nCl1 Cl1- .5 .5 .5"}, "Na4 Cl4", None),
    "charges after signs": ({"sites": "Na1 Na+1 0 0 0\nCl1 CL-1 .5 .5 .5"}, "Na4 Cl4", None),
    "type rules over label": ({"sites": "K1 Na 0 0 0\nCl1 Cl .5 .5 .5"}, "Na4 Cl4", "K1 is Na by its type symbol"),
    "outside the cell": ({"sites": "Na1 Na 1 -1 2\nCl1 Cl -0.5 1.5 .5"}, "Na4 Cl4", None),
    "an atom listed twice": (
        {"sites": "Na1 Na 0 0 0\nCl1 Cl .5 .5 .5\nCl2 Cl .5 0 0"},
        "Na4 Cl4",
        "Cl1, Cl2 are one and the same atom",
    ),
    "name and P 1 of all atoms": ({"symmetry": CUBIC + P1, "sites": ALL_EIGHT}, "Na4 Cl4", None),
    "first origin": ({"cell": SPINEL, "symmetry": named("F d -3 m S"), "sites": FIRST_ORIGIN}, "Mg8 Al16 O32", None),
    "second origin": ({"cell": SPINEL, "symmetry": named("F d -3 m Z"), "sites": SECOND_ORIGIN}, "Mg8 Al16 O32", None),
    "no origin, where one is absurd": (
        {"cell": SPINEL, "symmetry": named("F d -3 m"), "sites": SECOND_ORIGIN},
        "Mg8 Al16 O32",
        "F d -3 m:2 was taken",
    ),
    "no origin, where Z tells": (
        {**SILICON, "symmetry": named("F d -3 m"), "extra": "_chemical_formula_sum Si\n_cell_formula_units_Z 8\n"},
        "Si8",
        "F d -3 m:1 was taken",
    ),
    "origin of the Hall symbol": (
        {**SILICON, "symmetry": named("F d -3 m") + "_space_group_name_Hall 'F 4d 2 3 -1d'\n"},
        "Si8",
        None,
    ),
    "rhombohedral axes": ({"cell": "4 4 4 60 60 60", "symmetry": named("R -3 m")}, "Na1 Cl1", None),
    "hexagonal axes": (
        {"cell": "4 4 10 90 90 120", "symmetry": named("R -3 m"), "sites": "Na1 Na 0 0 0\nCl1 Cl 0 0 .5"},
        "Na3 Cl3",
        None,
    ),
    "a setting of its own": (
        {"cell": "5 6 7 90 100 90", "symmetry": named("P 21/n"), "sites": "Na1 Na 0 0 0\nCl1 Cl .5 0 .5"},
        "Na2 Cl2",
        None,
    ),
    "unique axis c": (
        {"cell": "5 6 7 90 90 100", "symmetry": named("B 1 1 2/m"), "sites": "Na1 Na 0 0 0\nCl1 Cl .5 .5 0"},
        "Na2 Cl2",
        None,
    ),
    "screw axes in brackets": (
        {**WURTZITE, "symmetry": named("P6(3)mc"), "sites": "Zn1 Zn .3333 .6667 0\nO1 O .3333 .6667 .3821"},
        "Zn2 O2",
        None,
    ),
    "full symbol": ({"symmetry": "_space_group_name_H-M_full 'F 4/m -3 2/m'\n"}, "Na4 Cl4", None),
    "another unique axis": (
        {
            "cell": "5 6 7 90 90 100",
            "symmetry": named("P 21/b"),
            "sites": "Na1 Na .1 .2 .3\nCl1 Cl .5 .6 .7",
        },
        "Na4 Cl4",
        None,
    ),
    "the unique axis of the cell": (
        {"cell": "5 6 7 100 90 90", "symmetry": named("P 2/m"), "sites": "Na1 Na .1 .2 .3\nCl1 Cl .5 .6 .7"},
        "Na4 Cl2",
        None,
    ),
    "points for zeros": ({"sites": "Na1 Na . 0 .\nCl1 Cl .5 .5 .5"}, "Na4 Cl4", None),
    "three points for zeros": (
        {"sites": "Na1 Na . . .\nCl1 Cl .5 .5 .5", "extra": "_chemical_formula_sum 'Cl1 Na1'\n"},
        "Na4 Cl4",
        "Na1 has the place '. . .', which was read as 0 0 0",
    ),
    "charges that do not add up": (
        {"sites": "Ca1 Ca2+ 0 0 0\nO1 O2- .25 .25 .25"},
        "Ca4 O8",
        "the charges of its type symbols add up to -8 in the cell: atoms may be missing",
    ),
    "water by its formula none": (
        {"sites": "Mg1 Mg 0 0 0\nOW1 O .5 .5 .5", "extra": "_chemical_formula_sum 'Mg O'\n"},
        "Mg4 O4",
        "OW1 seems to be of water",
    ),
    "number behind the symbol": ({"symmetry": named("F m -3 m (No. 225)")}, "Na4 Cl4", None),
    "claims that are no numbers": (
        {"extra": "_cell_volume '179.4 A3'\n_cell_formula_units_Z four\n_exptl_crystal_density_diffrn n/a\n"},
        "Na4 Cl4",
        None,
    ),
    "number alone": ({"symmetry": "_space_group_IT_number 225\n"}, "Na4 Cl4", "its number alone says its group"),
    "operations in capitals and decimals": (
        {"cell": ORTHO, "symmetry": listed("X,Y,Z", "-X, -Y, .5+Z"), "sites": "Na1 Na .1 .1 0\nCl1 Cl .3 .3 .3"},
        "Na2 Cl2",
        None,
    ),
    "operations with a printer's minus": (
        {
            "cell": ORTHO,
            "symmetry": listed("x,y,z", "\u2212x,\u2212y,\u2212z"),
            "sites": "Na1 Na .1 .1 0\nCl1 Cl .3 .3 .3",
        },
        "Na2 Cl2",
        None,
    ),
    "operations without the identity": (
        {"cell": ORTHO, "symmetry": listed("-x,-y,-z"), "sites": "Na1 Na .1 .1 0\nCl1 Cl .3 .3 .3"},
        "Na2 Cl2",
        "lack x, y, z",
    ),
    "operations rule over the setting": (
        {
            "cell": "5 6 7 90 100 90",
            "symmetry": named("P 21/c") + listed("x,y,z", "-x,-y,-z", "1/2-x,1/2+y,1/2-z", "1/2+x,1/2-y,1/2+z"),
            "sites": "Na1 Na .1 .1 .2\nCl1 Cl .3 .4 .4",
        },
        "Na4 Cl4",
        "operations are those of P 1 21/n 1, not of P 1 21/c 1",
    ),
    "no symmetry": ({"symmetry": ""}, "Na1 Cl1", "says nothing of its symmetry: read as P 1"),
    "symmetry unknown": ({"symmetry": "_symmetry_space_group_name_H-M ?\n"}, "Na1 Cl1", "read as P 1"),
    "magnetic": (
        {"cell": "4 4 4 90 90 90", "symmetry": MAGNETIC, "extra": MOMENT, "sites": "Fe1 Fe 0 0 0\nO1 O 0 0 .5"},
        "Fe2 O2",
        "magnetic moments are left out",
    ),
    "Cartesian with its axes": (
        {"columns": CARTESIAN, "symmetry": CUBIC + TRANSFORMED, "sites": "Na1 Na 0 0 0\nCl1 Cl 2.82 2.82 2.82"},
        "Na4 Cl4",
        None,
    ),
    "angles by default": ({"cell": "5.64 5.64 5.64 . . ."}, "Na4 Cl4", "90 degrees, the dictionary's default"),
    "text that looks like data": (
        {"extra": "_exptl_special_details\n;\ndata_collection\n_atom_site_label\n;\n"},
        "Na4 Cl4",
        None,
    ),
    "density": ({"extra": "_exptl_crystal_density_diffrn 2.164\n"}, "Na4 Cl4", None),
    "density in kg/m3": ({"extra": "_exptl_crystal_density_diffrn 2164\n"}, "Na4 Cl4", None),
    "order of the site's symmetry": (
        {"columns": f"{COLUMNS} symmetry_multiplicity", "sites": "Na1 Na 0 0 0 48\nCl1 Cl .5 .5 .5 48"},
        "Na4 Cl4",
        None,
    ),
    "formula with its digits": ({"extra": "_chemical_formula_sum 'Na1.00(2) Cl1.00'\n"}, "Na4 Cl4", None),
    "formula in brackets": ({"extra": "_chemical_formula_sum '(Na0.5 Cl0.5)2'\n"}, "Na4 Cl4", None),
    "formula a hundredth off": (
        {"extra": "_chemical_formula_sum 'Na0.99 Cl'\n"},
        "Na4 Cl4",
        "says that it is Na0.99 Cl, but was read as NaCl, as its atoms are listed",
    ),
    "formula with a trace": (
        {"extra": "_chemical_formula_sum 'Na Cl H0.0001'\n"},
        "Na4 Cl4",
        "says that it is Na Cl H0.0001",
    ),
    "no formula": ({"extra": "_chemical_formula_sum 'Na1-x Cl'\n"}, "Na4 Cl4", "'Na1-x Cl' is no formula"),
    "formulas in other ways": (
        {
            "extra": "_chemical_formula_structural NaCl\n_chemical_formula_moiety '2(Na 1+), 2(Cl 1-)'\n"
            "_chemical_formula_iupac '[Na] Cl'\n_chemical_formula_analytical 'Na1.00(1) Cl'\n"
        },
        "Na4 Cl4",
        None,
    ),
    "an analysis": (
        {"extra": "_chemical_formula_analytical 'Na0.95(2) Cl'\n"},
        "Na4 Cl4",
        "says Na0.95(2) Cl as _chemical_formula_analytical",
    ),
    "another moiety, and the sum": (
        {"extra": "_chemical_formula_sum 'Na Cl'\n_chemical_formula_moiety 'Na Cl, H2 O'\n"},
        "Na4 Cl4",
        "says Na Cl, H2 O as _chemical_formula_moiety",
    ),
    "a moiety in prose": (
        {"extra": "_chemical_formula_moiety 'Na Cl, x(H2 O)'\n"},
        "Na4 Cl4",
        "its _chemical_formula_moiety 'Na Cl, x(H2 O)' could not be compared",
    ),
    "a name in prose": ({"extra": "_chemical_name_common 'table salt'\n"}, "Na4 Cl4", None),
    "another formula as name": (
        {"extra": "_chemical_name_common 'Na0.9 Fe0.1 Cl'\n"},
        "Na4 Cl4",
        "says Na0.9 Fe0.1 Cl as _chemical_name_common",
    ),
    "a Schoenflies symbol": ({"symmetry": "_space_group_name_Schoenflies O_h^5\n"}, "Na4 Cl4", "read as F m -3 m"),
    "a Schoenflies symbol unknown, and a name": (
        {"symmetry": f"{CUBIC}_space_group_name_Schoenflies cubic\n"},
        "Na4 Cl4",
        None,
    ),
    "a wave vector in brackets": (
        {"extra": "_parent_propagation_vector.kxkykz [0 0 1/2]\n_x 'a [b] c'\n"},
        "Na4 Cl4",
        None,
    ),
    "a type without atoms": (
        {"extra": "loop_\n_atom_type_symbol\nNa1+\nK1+\nCl1-\n"},
        "Na4 Cl4",
        "lists K among its types of atoms",
    ),
    "a type without atoms, and the formula": (
        {"extra": "_chemical_formula_sum 'Na Cl'\nloop_\n_atom_type_symbol\nNa1+\nK1+\nCl1-\n"},
        "Na4 Cl4",
        None,
    ),
    "displacements without atoms": (
        {"extra": "loop_\n_atom_site_aniso_label\nNa1\nK1\n"},
        "Na4 Cl4",
        "has displacements of K1",
    ),
    "a label of two elements": ({"sites": "Na1/K1 Na 0 0 0\nCl1 Cl .5 .5 .5"}, "Na4 Cl4", "Na1/K1, which names two"),
    "a label with shares": ({"sites": "Na0.8K0.2 Na 0 0 0\nCl1 Cl .5 .5 .5"}, "Na4 Cl4", "Na0.8K0.2, which names two"),
    "a measured density": ({"extra": "_exptl_crystal_density_meas 2.1\n"}, "Na4 Cl4", None),
    "another measured density": ({"extra": "_exptl_crystal_density_meas 2.5\n"}, "Na4 Cl4", "but 2.5 was measured"),
    "a mass": ({"extra": "_chemical_formula_weight 58.44\n"}, "Na4 Cl4", None),
    "another mass": ({"extra": "_chemical_formula_weight 74.55\n"}, "Na4 Cl4", "no multiple of the 74.55"),
    "formula units of zero": (
        {"extra": "_chemical_formula_sum 'Na1 Cl1'\n_cell_formula_units_Z 0\n"},
        "Na4 Cl4",
        None,
    ),
    "rhombohedral axes by the number": (
        {"cell": "4 4 4 60 60 60", "symmetry": "_symmetry_Int_Tables_number 166\n"},
        "Na1 Cl1",
        "its number alone says its group: read as R -3 m:R",
    ),
    "formula of the whole cell": (
        {"extra": "_chemical_formula_sum 'Na4 Cl4'\n_cell_formula_units_Z 4\n"},
        "Na4 Cl4",
        None,
    ),
}

REFUSED = {
    "occupied more than once": (
        {"columns": OCCUPANCY, "sites": "Mg1 Mg 0 0 0 1.2\nO1 O .5 .5 .5 1"},
        "got 1.2 as occupancy of Mg1; allowed: 0 to 1",
    ),
    "negative occupancy": ({"columns": OCCUPANCY, "sites": "Mg1 Mg 0 0 0 -1\nO1 O .5 .5 .5 1"}, "got -1 as occupancy"),
    "three points, and no formula": (
        {"sites": "Na1 Na . . .\nCl1 Cl .5 .5 .5"},
        "Na1 has the place '. . .', which was read as 0 0 0, and no formula confirms it",
    ),
    "water without hydrogen": (
        {"sites": "Na1 Na 0 0 0\nO1W O .5 .5 .5"},
        "O1W seems to be of water or a hydroxyl group, but no hydrogen is listed, and no formula confirms it",
    ),
    "hydroxyl without hydrogen": ({"sites": "Na1 Na 0 0 0\nOh1 O .5 .5 .5"}, "Oh1 seems to be of water"),
    "unknown occupancy": ({"columns": OCCUPANCY, "sites": "Mg1 Mg 0 0 0 ?\nO1 O .5 .5 .5 1"}, "no formula confirms it"),
    "water": ({"columns": BARE, "sites": "Na1 0 0 0\nOW1 .5 .5 .5"}, "has a site 'OW1'"),
    "hydroxyl": ({"sites": "Na1 Na 0 0 0\nO1 OH .5 .5 .5"}, "has a site 'OH'"),
    "peak": ({"sites": "Na1 Na 0 0 0\nQ1 Q .5 .5 .5"}, "has a site 'Q'"),
    "mixed type": ({"sites": "Na1 '0.8Na + 0.2K' 0 0 0\nCl1 Cl .5 .5 .5"}, "has a site '0.8Na + 0.2K'"),
    "attached hydrogen": (
        {"columns": f"{COLUMNS} attached_hydrogens", "sites": "Na1 Na 0 0 0 0\nO1 O .5 .5 .5 1"},
        "has 1 hydrogen on O1",
    ),
    "missing hydrogen": (
        {"sites": "Na1 Na 0 0 0\nO1 O .5 .5 .5", "extra": "_chemical_formula_sum 'H Na O'\n"},
        "atoms are missing",
    ),
    **{
        f"other {kind} formula": (
            {"extra": f"_chemical_formula_{kind} 'Na0.8 K0.2 Cl'\n"},
            f"holds NaCl, but says that it is Na0.8 K0.2 Cl (_chemical_formula_{kind})",
        )
        for kind in ("structural", "moiety", "iupac", "analytical")
    },
    "a hydrate": (
        {"extra": "_chemical_formula_structural 'NaCl.2H2O'\n"},
        "NaCl.2H2O (_chemical_formula_structural)",
    ),
    "an unknown Schoenflies symbol": ({"symmetry": "_space_group_name_Schoenflies cubic\n"}, "got 'cubic' as Schoenfl"),
    "magnetically modulated": (
        {"symmetry": "loop_\n_space_group_symop_magn_ssg_operation.algebraic\nx1,x2,x3,x4,+1\n"},
        "is a modulated structure",
    ),
    "alternative positions": (
        {"columns": f"{COLUMNS} disorder_group", "sites": "Na1 Na 0 0 0 .\nCl1 Cl .5 .5 .5 1\nBr1 Br .25 .25 .25 2"},
        "alternative positions",
    ),
    "two elements on a site": (
        {"sites": "Na1 Na 0 0 0\nCl1 Cl .5 .5 .5\nBr1 Br .5 0 0"},
        "more than one atom stands on one site (Cl1 1, Br1 1)",
    ),
    "no coordinate": ({"sites": "Na1 Na 0 0 0\nCl1 Cl ? ? ?"}, "got '?' as coordinate x of Cl1"),
    "decimal comma": ({"sites": "Na1 Na 0 0 0\nCl1 Cl 0,5 0,5 0,5"}, "write decimals with a point"),
    "name against number": (
        {"symmetry": f"{CUBIC}_symmetry_Int_Tables_number 221\n"},
        "says F m -3 m (8 atoms in the cell) or P m -3 m (2 atoms in the cell)",
    ),
    "name against operations": (
        {"symmetry": CUBIC + P1},
        "says P 1 (2 atoms in the cell) or F m -3 m (8 atoms in the cell)",
    ),
    "name against Hall symbol": (
        {"symmetry": f"{CUBIC}_space_group_name_Hall '-P 4 2 3'\n"},
        "different crystals; correct the one",
    ),
    "no origin": ({**SILICON, "symmetry": "_symmetry_Int_Tables_number 227\n"}, "write the symbol with its origin"),
    "rhombohedral in a hexagonal cell": (
        {"cell": "4 4 10 90 90 120", "symmetry": named("R -3 m :R")},
        "lacks the symmetry of R -3 m:R",
    ),
    "cubic in a tetragonal cell": (
        {"cell": "5.64 5.64 5.34 90 90 90"},
        "its cell (5.64, 5.64, 5.34, 90, 90, 90) lacks",
    ),
    "half a group": (
        {"symmetry": listed("x,y,z", "-y,x,z")},
        "are no group: with those that follow from them there are 4",
    ),
    "no operation": ({"symmetry": listed("x,y,z", "2x,y,z")}, "has a symmetry operation '2x,y,z'"),
    "two lists": ({"symmetry": listed("x,y,z", "-x,-y,-z") + P1}, "lists its symmetry operations twice"),
    "cubic without a group": ({"symmetry": "_symmetry_cell_setting cubic\n"}, "says that it is cubic, but neither"),
    "no such group": ({"symmetry": named("P 99 q")}, "got 'P 99 q' as space group, which is not known"),
    "no such number": ({"symmetry": "_symmetry_Int_Tables_number 231\n"}, "allowed: 1 to 230"),
    "magnetic group by number": ({"symmetry": "_space_group_magn.number_BNS 62.448\n"}, "without its operations"),
    "nanometres": (
        {"cell": ".564 .564 .564 90 90 90"},
        "got .564 as _cell_length_a; allowed: a length above 1 Å; it seems to be in nm",
    ),
    "no length": ({"cell": "5.64 ? 5.64 90 90 90"}, "does not say _cell_length_b"),
    "length of zero": ({"cell": "5.64 0 5.64 90 90 90"}, "got 0 as _cell_length_b"),
    "radians": (
        {"cell": "5.64 5.64 5.64 1.5708 1.5708 1.5708"},
        "got 1.5708 as _cell_angle_alpha; allowed: 10 to 170 degrees",
    ),
    "impossible angles": ({"cell": "5 5 5 60 60 130", "symmetry": P1}, "60, 60, 130 degrees close no cell"),
    "volume": ({"extra": "_cell_volume 150.2\n"}, "its cell has 179.41 Å3, but it says _cell_volume 150.2"),
    "formula units": (
        {"symmetry": named("P m -3 m"), "extra": "_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 4\n"},
        "holds Na1Cl1 in its cell, but says _cell_formula_units_Z 4 of Na Cl",
    ),
    "density": (
        {"symmetry": named("P m -3 m"), "extra": "_exptl_crystal_density_diffrn 2.16\n"},
        "has a density of 0.541 g/cm3, but says 2.16",
    ),
    "formula units without a formula": (
        {"symmetry": named("P m -3 m"), "extra": "_cell_formula_units_Z 4\n"},
        "holds Na1Cl1 in its cell, but says _cell_formula_units_Z 4",
    ),
    "mass": (
        {"extra": "_cell_formula_units_Z 4\n_chemical_formula_weight 76.46\n"},
        "has 58.4 g/mol for each of its 4 units, but says 76.46",
    ),
    "two names": (
        {"symmetry": CUBIC + "_space_group_name_H-M_alt 'P m -3 m'\n"},
        "says P m -3 m (2 atoms in the cell) or F m -3 m (8 atoms in the cell)",
    ),
    "two lengths": ({"extra": "loop_\n_cell_length_a\n5.64\n5.70\n"}, "_cell_length_a"),
    "ångström under fractions": (
        {"sites": "Na1 Na 0 0 0\nCl1 Cl 2.82 2.82 2.82"},
        "has Cl1 at fractions up to 2.82, which seem to be in Å",
    ),
    "full alternatives": (
        {
            "columns": f"{COLUMNS} occupancy disorder_group",
            "sites": "Na1 Na 0 0 0 1 .\nCl1 Cl .5 .5 .5 1 1\nBr1 Br .25 .25 .25 1 2",
        },
        "alternative positions",
    ),
    "multiplicity": (
        {"symmetry": P1, "columns": f"{COLUMNS} symmetry_multiplicity", "sites": "Na1 Na 0 0 0 4\nCl1 Cl .5 .5 .5 4"},
        "Na1 has 1 images in the cell, but its multiplicity is said to be 4",
    ),
    "Cartesian without axes": (
        {"columns": CARTESIAN, "sites": "Na1 Na 0 0 0\nCl1 Cl 2.82 2.82 2.82"},
        "gives its atoms by _atom_site_Cartn alone",
    ),
    "modulated": ({"extra": "_cell_modulation_dimension 1\n"}, "is a modulated structure"),
    "one value twice": ({"extra": "_cell_length_a 5.65\n"}, "has _cell_length_a twice, with different values"),
    "a row cut off": ({"sites": "Na1 Na 0 0 0\nCl1 Cl .5 .5"}, "Wrong number of values in loop"),
}


@pytest.mark.parametrize(("change", "formula", "note"), READ.values(), ids=READ.keys())
def test_a_cif_is_read_as_it_is_meant_and_what_was_changed_is_noted(
    change: dict[str, str], formula: str, note: str | None
) -> None:
    reading = read_noted(text(**change))
    assert reading.structure.composition.remove_charges().formula == formula
    assert (note is None) == (not reading.notes), reading.notes
    assert note is None or note in "; ".join(reading.notes)


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_cif_that_cannot_be_meant_as_it_stands_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(UnreadableError, match=re.escape(message)):
        read_noted(text(**change))


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("_cell_", "_cell.").replace("_atom_site_", "_atom_site."),
        lambda t: t.replace("_cell_length_a", "_Cell_Length_A"),
        lambda t: t.removeprefix("data_x\n"),
        lambda t: t.replace("data_x", "data_x # from a\u0300 printer\n# _cell_length_a 9"),
    ],
    ids=["newer tags", "tags in capitals", "no data_", "comments"],
)
def test_the_same_in_another_writing(change: object) -> None:
    assert callable(change)
    assert read_noted(change(text())).structure == read_noted(text()).structure


def test_rounded_places_are_exact_afterwards() -> None:
    change, _, _ = READ["thirds of three digits"]
    ideal = crystal_of(
        "P6_3mc", Lattice.hexagonal(3.2498, 5.2066), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.3821]]
    )
    found = read_noted(text(**change)).structure
    assert np.allclose(np.sort(found.distance_matrix, axis=None), np.sort(ideal.distance_matrix, axis=None), atol=1e-9)


def test_both_origins_give_the_same_spinel() -> None:
    first, second = (read_noted(text(**READ[f"{which} origin"][0])).structure for which in ("first", "second"))
    assert StructureMatcher(scale=False, stol=0.01).fit(
        first.remove_oxidation_states(), second.remove_oxidation_states()
    )


@pytest.mark.parametrize(
    ("written", "formula"),
    [
        ("CuSO4.5H2O", "Cu1 H10 S1 O9"),
        ("Cu (S O4) (H2 O)5", "Cu1 H10 S1 O9"),
        ("Mg0.5H2O", "Mg0.5 H2 O1"),
        ("4(Na 1+), 2(S O4 2-)", "Na4 S2 O8"),
        ("[Mo (C O)4 (C18 H33 P)2]", "Mo1 P2 H66 C40 O4"),
        ("Fe2.45(2) Ni1.60(3) S4", "Fe2.45 Ni1.6 S4"),
        ("C1 O3 2-,Ca1 2+,6(H2 O1)", "Ca1 H12 C1 O9"),
        ("(Zn1 O1)n,n(H2 O1)", "Zn1 H2 O2"),
        ("Na0,8 K0,2 Cl", None),
        ("Li1-x Co O2", None),
        ("Quartz", None),
        ("lithium cobalt oxide", None),
    ],
)
def test_formulas_as_they_are_written_freely(written: str, formula: str | None) -> None:
    found = parse_formula(written)
    assert formula == (None if found is None else found.formula)
