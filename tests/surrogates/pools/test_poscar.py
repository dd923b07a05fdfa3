import re

import numpy as np
import pytest

from surrogates.pools.cif.problems import UnreadableError
from surrogates.pools.structure_parsing import read_noted

FRACTIONS = ("0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0", ".5 .5 .5", ".5 0 0", "0 .5 0", "0 0 .5")
ANGSTROMS = tuple(" ".join(str(5.64 * float(x)) for x in line.split()) for line in FRACTIONS)
DIRECT = "\n".join(FRACTIONS)
CARTESIAN = "\n".join(ANGSTROMS)


def poscar(scale: str = "1.0", elements: str = "Na Cl\n4 4", mode: str = "Direct", coords: str = DIRECT) -> str:
    return f"rock salt\n{scale}\n5.64 0 0\n0 5.64 0\n0 0 5.64\n{elements}\n{mode}\n{coords}\n"


def behind(*words: str) -> str:
    return "\n".join(f"{line} {word}" for line, word in zip(FRACTIONS, words, strict=True))


@pytest.mark.parametrize(
    ("text", "volume", "bond"),
    [
        (poscar(), 5.64**3, 2.82),
        (poscar(mode="Cartesian", coords=CARTESIAN), 5.64**3, 2.82),
        (poscar(scale="2", mode="kartesisch", coords=CARTESIAN), 8 * 5.64**3, 5.64),
        (poscar(scale="-200"), 200, 200 ** (1 / 3) / 2),
        (poscar(scale="-200", mode="Cartesian", coords=CARTESIAN), 200, 200 ** (1 / 3) / 2),
        (poscar(scale="1 1 2", mode="Cartesian", coords=CARTESIAN), 2 * 5.64**3, 2.82),
        (poscar(scale="1.0 ! scale", elements="Na Cl ! two\n4 4"), 5.64**3, 2.82),
        (poscar(scale="1.0d0"), 5.64**3, 2.82),
        (poscar(mode="Selective dynamics\nDirect", coords=behind(*["T T F"] * 8)), 5.64**3, 2.82),
        (poscar(elements="4 4", coords=behind(*["Na"] * 4, *["Cl"] * 4)), 5.64**3, 2.82),
        (poscar(elements="Na_pv/1a2b Cl_h\n4 4"), 5.64**3, 2.82),
        (poscar(elements="Na\nCl\n4\n4"), 5.64**3, 2.82),
        (poscar(coords=f"{DIRECT}\n\n{DIRECT}"), 5.64**3, 2.82),
    ],
    ids=[
        *("direct", "Cartesian", "scaled", "volume", "volume and Cartesian", "three factors", "comments", "Fortran"),
        *("selective", "symbols behind", "names of potentials", "lists over lines", "velocities"),
    ],
)
def test_a_poscar_is_read_as_vasp_reads_it(text: str, volume: float, bond: float) -> None:
    reading = read_noted(text)
    assert reading.notes == ()
    assert reading.structure.composition.formula == "Na4 Cl4"
    assert reading.structure.volume == pytest.approx(volume)
    distances = reading.structure.distance_matrix
    assert np.min(distances[distances > 0]) == pytest.approx(bond)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (poscar(elements="4 4"), "without the symbols of its elements"),
        (poscar(elements="Na Cl Br\n4 4"), "has 3 elements (Na Cl Br), but 2 counts"),
        (poscar(elements="Na Cl\n4 4 1"), "has 2 elements (Na Cl), but 3 counts"),
        (poscar(elements="Na Cl\n4 3"), "more coordinates than the 7 of its counts, in line 16"),
        (poscar(elements="Na Cl\n4 5"), "fewer coordinates than the 9 of its counts"),
        (poscar(coords=behind(*["K"] * 4, *["Cl"] * 4)), "line 9 is K, but by the counts it is Na"),
        (poscar(mode=""), "says neither Direct nor Cartesian"),
        (poscar(coords=CARTESIAN), "says Direct, but its coordinates seem to be in Å: they reach 2.82"),
        (poscar(mode="Cartesian"), "says Cartesian, but its coordinates seem to be fractions"),
        (poscar(scale="0"), "scaling factors are not above 0"),
        (poscar(scale="1,0"), "could not convert string to float: '1,0'"),
    ],
)
def test_a_poscar_that_says_two_things_is_refused(text: str, message: str) -> None:
    with pytest.raises(UnreadableError, match=re.escape(message)):
        read_noted(text)


def test_coordinates_far_outside_the_cell_are_noted() -> None:
    assert read_noted(poscar(coords=DIRECT.replace("0 0 0", "1.7 0 0", 1))).notes == (
        "its fractional coordinates reach 1.7",
    )


DIAMOND = "cubic diamond\n{}\n 0.5 0.5 0.0\n 0.0 0.5 0.5\n 0.5 0.0 0.5\nC\n2\n{}\n 0 0 0\n{}\n"


@pytest.mark.parametrize("scale", ["3.57", f"{-(3.57**3) / 4}", "3.57 3.57 3.57"])
@pytest.mark.parametrize("place", ["0.25 0.25 0.25", "-0.25 -0.25 -0.25"])
def test_cartesian_coordinates_are_multiplied_by_the_scaling_factor(scale: str, place: str) -> None:
    reading = read_noted(DIAMOND.format(scale, "Cartesian", place))
    assert reading.notes == ()
    assert reading.structure.volume == pytest.approx(3.57**3 / 4)
    assert reading.structure.get_distance(0, 1) == pytest.approx(3.57 * 3**0.5 / 4)


def test_cartesian_coordinates_in_angstrom_beside_a_scaling_factor_are_refused() -> None:
    text = "x\n4.3\n1 0 0\n0 1 0\n0 0 1\nMg O\n1 1\nCartesian\n0 0 0\n{0} {0} {0}\n"
    with pytest.raises(UnreadableError, match="seem to be in Å already; divide them by it"):
        read_noted(text.format(2.15))
    assert "multiplied by the scaling factor, reach 1.6 cells" in read_noted(text.format(1.6)).notes[0]


@pytest.mark.parametrize(
    "text",
    [
        poscar(mode="Direct configuration= 1") + f"Direct configuration= 2\n{DIRECT}\n",
        poscar(mode="Direct configuration= 1") + poscar(mode="Direct configuration= 2"),
        poscar() + poscar(),
        poscar() + "\n" + poscar(scale="1 1 1", elements="Mg O\n4 4"),
        poscar(coords=behind(*["Na"] * 4, *["Cl"] * 4)) + poscar(elements="4 4"),
    ],
    ids=["XDATCAR", "XDATCAR of changing cells", "joined", "joined after an empty line", "joined with VASP 4"],
)
def test_several_structures_in_one_poscar_are_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="holds several structures, the second in line"):
        read_noted(text)


def test_what_follows_the_coordinates_in_a_contcar_is_no_second_structure() -> None:
    velocities = "Cartesian\n" + "\n".join(["0.0 0.01 0.0"] * 8)
    lattice = "Lattice velocities and vectors\n1\n" + "\n".join(["0.0 0.0 0.0"] * 3 + ["5.64 0 0"] * 3)
    assert read_noted(f"{poscar()}{lattice}\n{velocities}\n").structure.composition.formula == "Na4 Cl4"
    assert read_noted(poscar(mode="Direct configuration= 1")).notes == ()
