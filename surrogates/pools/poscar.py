"""POSCAR and CONTCAR files as VASP reads them (VASP wiki, POSCAR), refused where they contradict themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Element, Lattice, Structure
from scipy.spatial import KDTree

from surrogates.pools.cif.problems import UnreadableError

_COMMENT = re.compile(r"[!#].*")
_FORTRAN = re.compile(r"(?<=[\d.])[dD](?=[-+]?\d)")
_FRAME = re.compile(r"\s*(direct|cartesian)\s+configuration", flags=re.IGNORECASE)  # of XDATCAR
_FARTHEST = 1.5  # cells; a fractional coordinate beyond is told
_BEYOND = 2.0  # cells; and beyond this it is taken for Å
_CLOSEST = 0.9  # Å; no two atoms are so near each other but hydrogen, as N2, the shortest, is 1.10 Å long


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands before the coordinates.

    Attributes:
        lattice: 3 x 3, Å.
        stretch: what Cartesian coordinates are multiplied by, 3.
        symbols: of the elements, as often as they have a count; empty in files of VASP 4.
        selective: whether each coordinate says whether it may move.
        start: number of the line of the first coordinates, from 0.
    """

    lattice: NDArray[np.float64]
    stretch: NDArray[np.float64]
    symbols: tuple[str, ...]
    counts: tuple[int, ...]
    cartesian: bool
    selective: bool
    start: int


def read_poscar(text: str) -> tuple[Structure, tuple[str, ...]]:
    """Return the structure, and notes of what was taken on trust.

    Raises:
        UnreadableError: it lacks the symbols, or says two things.
        ValueError, IndexError: it is no POSCAR.
    """
    lines = [_COMMENT.sub("", line) for line in text.split("\n")]
    head = _head(lines)
    total = sum(head.counts)
    rows = [line.split() for line in lines[head.start : head.start + total]]
    if len(rows) < total or any(len(row) < 3 for row in rows):
        raise ValueError(f"it has fewer coordinates than the {total} of its counts")
    extra = lines[head.start + total] if head.start + total < len(lines) else ""
    if _is_floats(extra.split()[:3]) and len(extra.split()) >= 3:
        raise ValueError(f"it has more coordinates than the {total} of its counts, in line {head.start + total + 1}")
    symbols = _symbols(head, rows)
    coords = np.array([_floats(row[:3]) for row in rows])
    _check_alone(lines, head.start + total)
    if not head.cartesian:
        return Structure(Lattice(head.lattice), symbols, coords), _fraction_notes(coords)
    _check_apart(symbols, coords, head.stretch)
    structure = Structure(Lattice(head.lattice), symbols, coords * head.stretch, coords_are_cartesian=True)
    return structure, _scale_notes(head, structure.frac_coords)


def _head(lines: Sequence[str]) -> _Head:
    scale = _floats(lines[1].split())
    if len(scale) not in (1, 3):
        raise ValueError("its second line holds no scaling factor")
    rows = np.array([_floats(line.split()[:3]) for line in lines[2:5]])
    stretch = np.resize(np.array(scale), 3)
    if len(scale) == 1 and scale[0] < 0:
        stretch = np.full(3, (-scale[0] / abs(np.linalg.det(rows))) ** (1 / 3))  # the volume of the cell, Å3
    if not (stretch > 0).all():
        raise ValueError("its scaling factors are not above 0")
    symbols, counts, at = _elements(lines)
    selective = lines[at].strip()[:1] in ("s", "S")
    mode = lines[at + selective].strip()
    if not mode or _is_floats(mode.split()):
        raise ValueError(f"line {at + selective + 1} says neither Direct nor Cartesian")
    return _Head(rows * stretch, stretch, symbols, counts, mode[0] in "cCkK", selective, at + selective + 1)


def _elements(lines: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...], int]:
    """Return symbols, counts, and the number of the line after them; long lists of both go over several lines."""
    symbols: list[str] = []
    counts: list[int] = []
    at = 5
    while not _is_counts(lines[at]):
        symbols += [word.split("/")[0].split("_")[0] for word in lines[at].split()]
        at += 1
    while _is_counts(lines[at]) and (not counts or len(counts) < len(symbols)):
        counts += [int(word) for word in lines[at].split()]
        at += 1
    if symbols and len(symbols) != len(counts):
        raise ValueError(f"it has {len(symbols)} elements ({' '.join(symbols)}), but {len(counts)} counts")
    return tuple(symbols), tuple(counts), at


def _symbols(head: _Head, rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the element of each atom, which may stand behind the coordinates, too."""
    place = 6 if head.selective else 3
    behind = [row[place] if len(row) > place and row[place] not in ("T", "F") else "" for row in rows]
    if not head.symbols:
        if not all(map(Element.is_valid_symbol, behind)):
            raise UnreadableError("is a POSCAR without the symbols of its elements; write them in its sixth line")
        return behind
    symbols = list(chain.from_iterable(map(repeat, head.symbols, head.counts)))
    for number, (said, symbol) in enumerate(zip(behind, symbols, strict=True), head.start + 1):
        if Element.is_valid_symbol(said) and said != symbol:
            raise ValueError(f"line {number} is {said}, but by the counts it is {symbol}")
    return symbols


def _check_alone(lines: Sequence[str], end: int) -> None:
    """Refuse a trajectory, and files that were joined: only velocities may follow the coordinates.

    Raises:
        UnreadableError: another structure follows.
    """
    for at, line in enumerate(lines[end:], end):
        words = line.split()
        if _FRAME.match(line) or (len(words) in (1, 3) and _is_floats(words) and _is_head(lines[at:])):
            raise UnreadableError(f"holds several structures, the second in line {at + 1}; give each a file of its own")


def _is_head(lines: Sequence[str]) -> bool:
    """Return whether lines are a scaling factor, a lattice, and elements with their counts, or counts alone."""
    if len(lines) < 6 or not all(len(line.split()) >= 3 and _is_floats(line.split()[:3]) for line in lines[1:4]):
        return False
    symbols, counts = lines[4].split(), lines[5]
    named = bool(symbols) and Element.is_valid_symbol(re.split("[_/]", symbols[0])[0]) and _is_counts(counts)
    return named or (_is_counts(lines[4]) and lines[5].strip()[:1] in tuple("sSdDcCkK"))


def _check_apart(symbols: Sequence[str], coords: NDArray[np.float64], stretch: NDArray[np.float64]) -> None:
    """Refuse Cartesian coordinates that can only be fractions: they lie in one unit, and once scaled on each other."""
    heavy = coords[[symbol not in ("H", "D") for symbol in symbols]]
    if len(heavy) < 2 or heavy.min() < -1 or heavy.max() > 1:
        return
    distance, _ = KDTree(heavy * stretch).query(heavy * stretch, k=2)
    if distance[:, 1].min() < _CLOSEST:
        raise ValueError("it says Cartesian, but its coordinates seem to be fractions: none is beyond 1")


def _scale_notes(head: _Head, fractions: NDArray[np.float64]) -> tuple[str, ...]:
    """Return a note where scaled Cartesian coordinates lie far outside the cell, and refuse those that were in Å."""
    largest = float(np.abs(fractions).max(initial=0.0))
    if np.allclose(head.stretch, 1) or largest <= _FARTHEST:
        return ()
    if largest > _BEYOND:
        raise ValueError(
            f"its Cartesian coordinates, multiplied by the scaling factor as in VASP, reach {largest:.3g} cells; "
            "they seem to be in Å already; divide them by it"
        )
    return (f"its Cartesian coordinates, multiplied by the scaling factor, reach {largest:.3g} cells",)


def _fraction_notes(coords: NDArray[np.float64]) -> tuple[str, ...]:
    """Return a note where fractional coordinates lie far outside the cell, and refuse those that are in Å."""
    largest = float(np.abs(coords).max(initial=0.0))
    if largest > _BEYOND:
        raise ValueError(f"it says Direct, but its coordinates seem to be in Å: they reach {largest:g}")
    return (f"its fractional coordinates reach {largest:g}",) if largest > _FARTHEST else ()


def _is_counts(line: str) -> bool:
    words = line.split()
    return bool(words) and all(word.isdigit() for word in words)


def _is_floats(words: Sequence[str]) -> bool:
    try:
        return bool(_floats(words))
    except ValueError:
        return False


def _floats(words: Sequence[str]) -> list[float]:
    return [float(_FORTRAN.sub("e", word)) for word in words]
