"""JSON as the store keeps it: valid, which numbers that are not finite are not by themselves."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_FLOAT = "$float"
"""Key of the object that stands for a number that is not finite: ``{"$float": "nan"}``."""


def dump_json(value: Any) -> str:
    """Return a value as JSON; numpy arrays become lists.

    Raises:
        TypeError: it holds what JSON has no place for.
    """
    try:
        return json.dumps(value, default=_plain, allow_nan=False)
    except ValueError:  # it holds numbers that are not finite
        return json.dumps(_marked(value), allow_nan=False)


def load_json(text: str) -> Any:
    """Return the value of a JSON text; earlier versions wrote bare ``NaN``."""
    return json.loads(text, object_hook=_number if f'"{_FLOAT}"' in text else None)


def _marked(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(float(value))}
    if isinstance(value, Mapping):
        return {str(key): _marked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else _marked(_plain(value))


def _number(found: dict[str, Any]) -> Any:
    return float(found[_FLOAT]) if found.keys() == {_FLOAT} else found


def _plain(value: Any) -> Any:
    """Return numpy arrays and numbers as lists and plain numbers, and EPICS' byte strings as text."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"cannot store {type(value).__name__}; allowed: JSON values and numpy arrays")
