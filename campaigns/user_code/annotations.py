"""What an argument's annotation says that it takes: number, text, device or samples, as far as its source says."""

from __future__ import annotations

import ast
from collections.abc import Collection
from enum import StrEnum


class Given(StrEnum):
    """What a plan is given for an argument."""

    NUMBER = "number"
    TEXT = "text"
    DEVICE = "device"
    SAMPLES = "samples"


_ANYTHING = frozenset(Given)
_SEQUENCES = ("list", "List", "Sequence", "Iterable", "Collection")
_KINDS = {
    **dict.fromkeys(("float", "int", "complex", "float64", "floating", "int64", "integer"), frozenset({Given.NUMBER})),
    "str": frozenset({Given.TEXT}),
    **dict.fromkeys(("Optional", "Union", "Annotated"), _ANYTHING),
    **dict.fromkeys(_SEQUENCES, frozenset({Given.SAMPLES})),
}
_NONE_OF_THEM = {
    "bool", "bytes", "bytearray", "None", "NoneType", "tuple", "set", "frozenset", "dict", "range", "type", "Tuple",
    "Set", "FrozenSet", "Dict", "Type", "MutableSequence", "Iterator", "Mapping", "MutableMapping", "Callable",
    "Generator", "ndarray", "NDArray", "Path", "datetime", "timedelta",
}  # fmt: skip
_BASES_OF_VALUES = {"str", "float", "int", "StrEnum", "IntEnum", "Protocol", "NewType"}


def taken(annotation: str, module: ast.Module | None = None) -> Collection[Given]:
    """Return what an argument takes; everything where its annotation does not say that in so many words.

    Args:
        annotation: as it is written; empty if there is none.
        module: where it is written, of which classes are known to be no numbers and no texts.
    """
    try:
        return _taken(ast.parse(annotation, mode="eval").body, _classes(module)) if annotation else _ANYTHING
    except SyntaxError:
        return _ANYTHING


def is_whole(annotation: str) -> bool:
    """Return whether an argument takes whole numbers alone."""
    return annotation.strip("'\"") == "int"


def _taken(node: ast.expr, classes: Collection[str]) -> frozenset[Given]:
    match node:
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _taken(left, classes) | _taken(right, classes)
        case ast.Constant(value=str(text)):
            return _taken(ast.parse(text, mode="eval").body, classes)
        case ast.Constant():
            return frozenset()
        case ast.Subscript(value=of, slice=inner):
            return _subscript(_last(of), inner.elts if isinstance(inner, ast.Tuple) else [inner], classes)
    name = _last(node)
    if name in classes:
        return frozenset({Given.DEVICE})
    return frozenset() if name in _NONE_OF_THEM else _KINDS.get(name, _ANYTHING)


def _subscript(name: str, parts: list[ast.expr], classes: Collection[str]) -> frozenset[Given]:
    if name == "Literal":
        texts = [isinstance(one, ast.Constant) and isinstance(one.value, str) for one in parts]
        return frozenset(Given.TEXT if one else Given.NUMBER for one in texts)
    if name in ("Optional", "Union"):
        return frozenset().union(*(_taken(one, classes) for one in parts))
    if name == "Annotated":
        return _taken(parts[0], classes)
    if name in _SEQUENCES:
        return frozenset({Given.SAMPLES}) & _taken(parts[0], classes)
    return frozenset() if name in _NONE_OF_THEM else _ANYTHING


def _last(node: ast.expr) -> str:
    return ast.unparse(node).rsplit(".", maxsplit=1)[-1]


def _classes(module: ast.Module | None) -> set[str]:
    """Return the classes of a module that are no kind of number or text."""
    found = [node for node in (module.body if module is not None else ()) if isinstance(node, ast.ClassDef)]
    return {one.name for one in found if _BASES_OF_VALUES.isdisjoint(_last(base) for base in one.bases)}
