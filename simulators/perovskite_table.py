"""Make ``campaigns/perovskites.csv``: the halide perovskites of which the ready campaign ``perovskite`` chooses.

    python -m simulators.perovskite_table

All ABX3 of two A ions out of K, Rb and Cs, two metals out of Ge, Sn and Pb in alternating layers, and one halogen
within and one between the layers, out of Cl, Br and I: 6 x 6 x 9 cells of ten atoms. Atoms stand where those of the
cubic perovskite do, and bonds are as long as ``simulators.perovskites`` says; nothing is taken from a database.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import combinations_with_replacement, product
from pathlib import Path

from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar

from simulators.perovskites import IONS, MeanIons, tolerance_factor

TABLE = Path(__file__).parent.parent / "campaigns" / "perovskites.csv"
SITES = (
    *((0.5, 0.5, 0.25), (0.5, 0.5, 0.75)),  # A
    *((0.0, 0.0, 0.0), (0.0, 0.0, 0.5)),  # B
    *((0.5, 0.0, 0.0), (0.0, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5)),  # X within the layers
    *((0.0, 0.0, 0.25), (0.0, 0.0, 0.75)),  # X between them
)


def crystals() -> Iterator[Structure]:
    """Yield the crystals, in a fixed order."""
    pairs = [combinations_with_replacement(IONS[site], 2) for site in ("A", "B")]
    for large, metals, (within, between) in product(*pairs, product(IONS["X"], repeat=2)):
        species = [*large, *metals, *[within] * 4, *[between] * 2]
        ions = MeanIons.of({one: species.count(one) for one in species})
        edge = 2 * ions.bond
        yield Structure(Lattice.tetragonal(edge, 2 * edge), species, SITES)


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield name, tolerance factor and POSCAR of each crystal."""
    for crystal in crystals():
        composition = crystal.composition
        factor = tolerance_factor(MeanIons.of({str(one): float(n) for one, n in composition.items()}))
        text = Poscar(crystal.get_sorted_structure()).get_str(significant_figures=3)
        yield composition.reduced_formula, f"{factor:.3f}", text


def main() -> None:
    """Write the table."""
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["formula", "tolerance_factor", "structure"])
        writer.writerows(rows())


if __name__ == "__main__":
    main()
