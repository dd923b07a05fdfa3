"""The text of an enumeration's choice, where its device gives the number."""

from __future__ import annotations

from typing import Any

from campaigns.values import is_number


def text_of_choice(value: Any, source: Any) -> str | None:
    """Return a text as it is, and that of a choice's number; None of what is neither.

    Args:
        value: what was read.
        source: the signal that it was read from, which names its choices.
    """
    if isinstance(value, str):
        return value
    choices = getattr(source, "enum_strs", None)
    if not choices or not is_number(value) or value not in range(len(choices)):
        return None
    return str(choices[int(value)])
