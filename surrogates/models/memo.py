"""What is worked out once: results of pure functions, by all that they depend on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Memo(dict[Any, T]):
    """Results by their keys; whether one is there changes nothing but the time.

    Args:
        most: how many are kept, the latest ones; all by default.
    """

    def __init__(self, most: int | None = None) -> None:
        super().__init__()
        self._most = most

    def once(self, key: Hashable, function: Callable[[], T]) -> T:
        """Return the result of a function that depends on nothing but the key; it is called where it is not kept."""
        if key not in self:
            self[key] = function()
            if self._most is not None and len(self) > self._most:
                del self[next(iter(self))]
        return self[key]
