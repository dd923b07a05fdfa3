"""Records as plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def plain(value: Any) -> Any:
    """Return records as dicts and lists for JSON."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else positive_zero(value)


def positive_zero(value: Any) -> Any:
    """Return a value, with a negative zero made positive."""
    return 0.0 if isinstance(value, float) and value == 0 else value
