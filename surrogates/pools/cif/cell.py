"""The cell of a CIF, and the operations that may act in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice

from surrogates.pools.cif.block import Block, claimed
from surrogates.pools.cif.group import (
    Group,
    hall_group,
    listed_group,
    named_groups,
    numbered_groups,
    other_axes,
    schoenflies_number,
    spatial_operations,
)
from surrogates.pools.cif.number import parse_number
from surrogates.pools.cif.problems import UnreadableError

LISTS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_MAGNETIC = ("_space_group_symop_magn_operation_xyz", "_space_group_symop_magn_centering_xyz")
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_NAMES = (
    *("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_space_group_name_h-m_full"),
    *("_space_group_name_h-m", "_symmetry_space_group_name_h_m"),
)
_NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")
_SCHOENFLIES = "_space_group_name_schoenflies"
_SYSTEMS = ("_space_group_crystal_system", "_symmetry_cell_setting")
_STEEPEST, _FLATTEST = 10.0, 170.0  # degrees; beyond, an angle is in other units, or a slip
_SHORTEST = 1.0  # Å; no atom is so near its own image
_VOLUME_SLACK = 0.01  # relative


def lattice_of(block: Block, notes: list[str]) -> Lattice:
    """Return the cell in Å and degrees.

    Raises:
        UnreadableError: it is not there, is none, or contradicts the volume that the file gives.
    """
    lengths = [_length(block, axis) for axis in "abc"]
    angles = [_angle(block, angle, notes) for angle in ("alpha", "beta", "gamma")]
    lattice = Lattice.from_parameters(*lengths, *angles)
    shape = 1 - np.cos(np.radians(angles)) @ np.cos(np.radians(angles)) + 2 * np.prod(np.cos(np.radians(angles)))
    if not shape > 0:
        raise UnreadableError(f"its angles {', '.join(f'{angle:g}' for angle in angles)} degrees close no cell")
    _check_volume(block, lattice)
    return lattice


def candidate_groups(block: Block, lattice: Lattice, notes: list[str]) -> list[Group]:
    """Return the groups by which the atoms may be meant to be repeated, those of the list of operations first.

    There are several where the file contradicts itself, or says neither origin nor axes.

    Raises:
        UnreadableError: no group is named that acts in this cell.
    """
    metric = lattice.matrix @ lattice.matrix.T
    stated = _stated(block, metric, notes)
    if not stated:
        return [_lowest(block, notes)]
    fitting = [[group for group in groups if group.fits(metric)] for groups in stated]
    if not any(fitting):
        shown = ", ".join(f"{value:g}" for value in (*lattice.abc, *lattice.angles))
        raise UnreadableError(
            f"its cell ({shown}) lacks the symmetry of {stated[0][0].name}; check the cell, the axes and the setting"
        )
    return _narrowed([groups for groups in fitting if groups], notes, listed=bool(block.values(*LISTS)))


def _narrowed(stated: list[list[Group]], notes: list[str], *, listed: bool) -> list[Group]:
    """Return the groups on which all statements agree, else all of them; a list rules over the setting of a name."""
    first, *others = stated
    agreed = [group for group in first if all(any(group.same_as(o) for o in groups) for groups in others)]
    if agreed:
        return agreed
    same_kind = [groups for groups in others if any(group.number == o.number for group in first for o in groups)]
    if len(same_kind) == len(others) and (listed or len(first) == 1):
        named = " or ".join(group.name for group in others[0])
        notes.append(f"its operations are those of {first[0].name}, not of {named} as it says too; they were used")
        return first
    return [group for groups in stated for group in groups]


def _stated(block: Block, metric: NDArray[np.float64], notes: list[str]) -> list[list[Group]]:
    """Return what the file says of its group: by operations, Hall symbol, Hermann-Mauguin symbol, and number."""
    stated = []
    if operations := _operations(block):
        group, note = listed_group(operations)
        notes.extend([note] if note else [])
        stated.append([group])
    stated.extend([hall_group(symbol)] for symbol in block.words(*_HALL))
    for name in block.words(*_NAMES):
        found = named_groups(name)
        if not any(group.fits(metric) for group in found):
            found = tuple(group for group in other_axes(name) if group.fits(metric)) or found
        if not found and not stated:
            raise UnreadableError(f"got {name!r} as space group, which is not known; list its operations")
        stated.extend([list(found)] if found else [])
    for numbers in _numbered(block, known=bool(stated)):
        if not any(each.number == numbers[0].number for groups in stated for each in groups):
            stated.append(list(numbers))
            if len(stated) == 1:
                fitting = [group for group in numbers if group.fits(metric)] or numbers
                named = " or ".join(group.name for group in fitting)
                notes.append(f"its number alone says its group: read as {named}")
    return stated


def _numbered(block: Block, *, known: bool) -> list[tuple[Group, ...]]:
    """Return the groups of the numbers, and of the Schoenflies symbols, which stand for numbers.

    Raises:
        UnreadableError: there is no such group, and nothing else that says one.
    """
    numbers = [_integer(word) for word in block.words(*_NUMBERS)]
    for symbol in block.words(_SCHOENFLIES):
        if found := schoenflies_number(symbol):
            numbers.append(found)
        elif not known and not numbers:
            raise UnreadableError(f"got {symbol!r} as Schoenflies symbol of its group; allowed: such as 'Oh^5'")
    return [numbered_groups(number) for number in numbers]


def _operations(block: Block) -> tuple[str, ...]:
    """Return the listed operations; magnetic ones act on the places of the atoms as others do.

    Raises:
        UnreadableError: there are two lists that differ.
    """
    magnetic, centring = (tuple(block.values(tag)) for tag in _MAGNETIC)
    if magnetic:
        return spatial_operations(magnetic, centring)
    lists = [tuple(v for v in block.columns[tag] if v not in "?.") for tag in LISTS if tag in block.columns]
    lists = [operations for operations in lists if operations]
    if len(lists) == 2 and not listed_group(lists[0])[0].same_as(listed_group(lists[1])[0]):
        raise UnreadableError("lists its symmetry operations twice, and the lists differ; leave one")
    if not lists and any(tag.startswith(("_space_group_magn", "_magnetic_space_group")) for tag in block.columns):
        raise UnreadableError("names a magnetic group without its operations; list them")
    return lists[0] if lists else ()


def _lowest(block: Block, notes: list[str]) -> Group:
    """Return P 1, which the dictionary says where nothing else is said.

    Raises:
        UnreadableError: the crystal system says that there is more.
    """
    for system in block.words(*_SYSTEMS):
        if system.lower() not in ("triclinic", "anorthic"):
            raise UnreadableError(f"says that it is {system}, but neither its space group nor its operations; add them")
    notes.append("says nothing of its symmetry: read as P 1, the atoms as they are listed")
    return listed_group(("x,y,z",))[0]


def _integer(word: str) -> int:
    value = parse_number(word, "number of its space group").value
    if not (value.is_integer() and 1 <= value <= 230):
        raise UnreadableError(f"got {word} as number of its space group; allowed: 1 to 230")
    return int(value)


def _length(block: Block, axis: str) -> float:
    tag = f"_cell_length_{axis}"
    word = block.word(tag)
    if word is None:
        raise UnreadableError(f"cannot be read as CIF: it does not say {tag}")
    value = parse_number(word, tag).value
    if not value > _SHORTEST:
        unit = "; it seems to be in nm" if value > _SHORTEST / 10 else ""
        raise UnreadableError(f"got {word} as {tag}; allowed: a length above {_SHORTEST:g} Å{unit}")
    return value


def _angle(block: Block, name: str, notes: list[str]) -> float:
    tag = f"_cell_angle_{name}"
    values = block.values(tag)
    if "?" in values:
        raise UnreadableError(f"cannot be read as CIF: it does not know {tag}")
    word = block.word(tag)
    if word is None:
        notes.append(f"does not say {tag}: 90 degrees, the dictionary's default")
        return 90.0
    value = parse_number(word, tag).value
    if not _STEEPEST < value < _FLATTEST:
        raise UnreadableError(f"got {word} as {tag}; allowed: {_STEEPEST:g} to {_FLATTEST:g} degrees")
    return value


def _check_volume(block: Block, lattice: Lattice) -> None:
    volume = claimed(block, "_cell_volume")
    if volume is None:
        return
    slack = max(_VOLUME_SLACK * lattice.volume, volume.unit, 3 * volume.error)
    if abs(volume.value - lattice.volume) > slack:
        unit = "; lengths are in Å" if lattice.volume < 5 else ""
        raise UnreadableError(
            f"its cell has {lattice.volume:.2f} Å3, but it says _cell_volume {volume.value:g}; correct one{unit}"
        )
