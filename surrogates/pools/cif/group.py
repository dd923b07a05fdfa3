"""Space groups as operations: from a list, a Hall symbol, a Hermann-Mauguin symbol, or a number."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import gemmi
import numpy as np
import spglib
from numpy.typing import NDArray

from surrogates.pools.cif.problems import UnreadableError

_UNIT = 24  # translations are whole multiples of 1/24 in every setting of the International Tables
_OPERATION = re.compile(r"[xyz\d+\-*/. ]+(?:,[xyz\d+\-*/. ]+){2}")
_SETTINGS = 530  # in the tables of Hall symbols
_SCREW = re.compile(r"(\d)_(\d)")
_NUMBERED = re.compile(r"\s+\((?:no\.? *)?\d{1,3}\)\s*$", flags=re.IGNORECASE)
_BRACKETS = re.compile(r"\((\d)\)")
_ORIGIN = re.compile(r"(?:[ :]*(?P<letter>[SZ])|[ :]+O(?P<number>[12])|[ :]*\(?origin (?:choice )?(?P<words>[12])\)?)$")
_WORSE_CELL = 0.01


@dataclass(frozen=True, eq=False)
class Group:
    """A space group in one setting, n operations that map x to ``rotations @ x + translations``.

    Attributes:
        name: Hermann-Mauguin symbol, with its setting where there are several.
        number: that of the International Tables.
        rotations: n x 3 x 3.
        translations: n x 3, fractions of the cell in [0, 1).
    """

    name: str
    number: int
    rotations: NDArray[np.int64]
    translations: NDArray[np.float64]

    def same_as(self, other: Group) -> bool:
        """Return whether these are the same operations."""
        return _codes(self) == _codes(other)

    def fits(self, metric: NDArray[np.float64]) -> bool:
        """Return whether the operations leave a metric tensor as it is, to a hundredth of the lengths' products."""
        turned = np.einsum("nji,jk,nkl->nil", self.rotations, metric, self.rotations)
        lengths = np.sqrt(np.diag(metric))
        return bool((np.abs(turned - metric) <= _WORSE_CELL * np.outer(lengths, lengths)).all())


@lru_cache(maxsize=512)
def listed_group(operations: tuple[str, ...]) -> tuple[Group, str]:
    """Return the group of a list of operations such as ``-x, y+1/2, z``, and a note where one was completed.

    Raises:
        UnreadableError: one is no operation, or they are no group.
    """
    given = {_parsed(text) for text in operations}
    closed = _closure(given)
    identity = _key(gemmi.Op())
    if len(closed) > len(given | {identity}):
        raise UnreadableError(
            f"lists {len(given)} symmetry operations that are no group: with those that follow from them there are "
            f"{len(closed)}; list all of them"
        )
    note = "" if identity in given else "its symmetry operations lack x, y, z, which was added"
    order = [_parsed(text) for text in operations]
    return _group([*dict.fromkeys([*([identity] if note else []), *order])]), note


@lru_cache(maxsize=512)
def spatial_operations(operations: tuple[str, ...], centring: tuple[str, ...]) -> tuple[str, ...]:
    """Return what magnetic operations, such as ``-x, y, z, -1``, do to the places of atoms, each with each centring.

    Raises:
        UnreadableError: one is no operation.
    """
    try:
        given, moves = (
            [gemmi.Op(",".join(text.lower().split(",")[:3])) for text in texts] for texts in (operations, centring)
        )
    except (ValueError, RuntimeError) as error:
        raise UnreadableError(f"has a magnetic operation that is none: {error}") from error
    return tuple((move * op).wrap().triplet() for move in moves or [gemmi.Op()] for op in given)


@lru_cache(maxsize=512)
def hall_group(symbol: str) -> Group:
    """Return the group of a Hall symbol.

    Raises:
        UnreadableError: it is none.
    """
    try:
        found = gemmi.symops_from_hall(symbol.replace("_", " "))
    except (ValueError, RuntimeError) as error:
        raise UnreadableError(f"got {symbol!r} as Hall symbol, which is none: {error}") from error
    return _group(_key(op) for op in found)


@lru_cache(maxsize=512)
def named_groups(symbol: str) -> tuple[Group, ...]:
    """Return what a Hermann-Mauguin symbol may stand for: a group, or one for each origin or axes; none if unknown."""
    plain = _SCREW.sub(r"\1\2", symbol) if re.match(r"[A-Za-z][^_ ]", symbol) else symbol
    plain = _NUMBERED.sub("", plain)
    name = _BRACKETS.sub(r"\1", " ".join(plain.replace("_", " ").split()))
    if found := _ORIGIN.search(name):
        origin = found["number"] or found["words"] or {"S": "1", "Z": "2"}[found["letter"]]
        name = f"{name[: found.start()]}:{origin}"
    group = gemmi.find_spacegroup_by_name(name)
    if group is None:
        return tuple(map(hall_group, _full_symbols().get(_bare(name), ())))
    chosen = bool(re.search(r":|[ \d][HR]$|[a-z\d][HR]$|^H", name))
    return (_tabulated(group),) if chosen else _settings(group)


@lru_cache(maxsize=512)
def other_axes(symbol: str) -> tuple[Group, ...]:
    """Return what a short monoclinic symbol such as ``P 2/m`` stands for with c or a as unique axis."""
    letter, rest = symbol[:1], re.sub(r"[\s_()]", "", symbol[1:])
    found = [gemmi.find_spacegroup_by_name(name) for name in (f"{letter} 1 1 {rest}", f"{letter} {rest} 1 1")]
    return tuple(_tabulated(group) for group in found if group is not None)


@lru_cache(maxsize=512)
def numbered_groups(number: int) -> tuple[Group, ...]:
    """Return the standard setting of a number, or one for each origin or axes; none if there is no such number."""
    group = gemmi.find_spacegroup_by_number(number) if 1 <= number <= 230 else None
    return () if group is None else _settings(group)


@lru_cache(maxsize=1)
def _full_symbols() -> dict[str, tuple[str, ...]]:
    """Return the Hall symbols of each full Hermann-Mauguin symbol, such as ``F 4/m -3 2/m``."""
    found: dict[str, tuple[str, ...]] = {}
    kinds = [spglib.get_spacegroup_type(hall) for hall in range(1, _SETTINGS + 1)]
    for kind in (kind for kind in kinds if kind is not None):
        name = _bare(kind.international_full)
        found[name] = (*found.get(name, ()), kind.hall_symbol)
    return found


@lru_cache(maxsize=1)
def _schoenflies() -> dict[str, int]:
    kinds = [spglib.get_spacegroup_type(hall) for hall in range(1, _SETTINGS + 1)]
    return {_letters(kind.schoenflies): int(kind.number) for kind in kinds if kind is not None}


def schoenflies_number(symbol: str) -> int:
    """Return the number of a Schoenflies symbol such as ``Oh^5`` or ``O_h.5``; 0 if there is none."""
    return _schoenflies().get(_letters(symbol), 0)


def _letters(symbol: str) -> str:
    return re.sub(r"[^a-z0-9]", "", symbol.lower())


def _bare(symbol: str) -> str:
    return re.sub(r"[\s_]", "", symbol).lower()


def _settings(group: gemmi.SpaceGroup) -> tuple[Group, ...]:
    """Return a group in each choice of its origin, or of its axes."""
    if group.ext == "\0":
        return (_tabulated(group),)
    same = [each for each in gemmi.spacegroup_table() if (each.number, each.hm) == (group.number, group.hm)]
    return tuple(_tabulated(each) for each in same)


def _tabulated(group: gemmi.SpaceGroup) -> Group:
    return _group((_key(op) for op in group.operations()), group.xhm(), group.number)


_Key = tuple[int, ...]  # twelve integers: a rotation by rows, and a translation in units of 1/24


def _parsed(text: str) -> _Key:
    """Return an operation.

    Raises:
        UnreadableError: it is none.
    """
    plain = " ".join(text.lower().split())
    try:
        op = gemmi.Op(plain if _OPERATION.fullmatch(plain) else "none")
    except (ValueError, RuntimeError) as error:
        raise UnreadableError(f"has a symmetry operation {text!r}; allowed: such as 'x, -y, z+1/2'") from error
    if abs(op.det_rot()) != gemmi.Op.DEN**3:
        raise UnreadableError(f"has a symmetry operation {text!r}, which changes the volume")
    return _key(op)


def _key(op: gemmi.Op) -> _Key:
    rotation = [value // gemmi.Op.DEN for row in op.rot for value in row]
    return (*rotation, *(value * _UNIT // gemmi.Op.DEN % _UNIT for value in op.tran))


def _closure(keys: set[_Key]) -> set[_Key]:
    """Return what follows from operations, as far as twice as many as any space group has."""
    found = set(keys)
    while len(found) <= 2 * 192:
        table = np.array(sorted(found))
        rotation, translation = table[:, :9].reshape(-1, 3, 3), table[:, 9:]
        turned = np.einsum("aij,bjk->abik", rotation, rotation).reshape(-1, 9)
        moved = (np.einsum("aij,bj->abi", rotation, translation) + translation[:, None]).reshape(-1, 3) % _UNIT
        new = set(map(tuple, np.unique(np.concatenate([turned, moved], axis=1), axis=0).tolist())) | found
        if len(new) == len(found):
            break
        found = new
    return found


def _group(keys: Iterable[_Key], name: str = "", number: int = 0) -> Group:
    table = np.array(list(keys), dtype=np.int64)
    rotations, translations = table[:, :9].reshape(-1, 3, 3), table[:, 9:] / _UNIT
    if not name:
        name, number = _identified(rotations, translations)
    return Group(name, number, rotations, translations)


def _identified(rotations: NDArray[np.int64], translations: NDArray[np.float64]) -> tuple[str, int]:
    """Return name and number of the group that operations are, in whichever setting."""
    ops = gemmi.GroupOps([_op(r, t) for r, t in zip(rotations, translations, strict=True)])
    if (found := gemmi.find_spacegroup_by_ops(ops)) is not None:
        return found.xhm(), found.number
    kind = spglib.get_spacegroup_type_from_symmetry(rotations, translations)
    if kind is None:
        return "unknown", 0
    return f"{kind.international_short} in a setting of its own", int(kind.number)


def _op(rotation: NDArray[np.int64], translation: NDArray[np.float64]) -> gemmi.Op:
    op = gemmi.Op()
    op.rot = (rotation * gemmi.Op.DEN).tolist()
    op.tran = np.rint(translation * gemmi.Op.DEN).astype(int).tolist()
    return op


def _codes(group: Group) -> frozenset[bytes]:
    table = np.concatenate([group.rotations.reshape(-1, 9), np.rint(group.translations * _UNIT).astype(int)], axis=1)
    return frozenset(row.tobytes() for row in table)
