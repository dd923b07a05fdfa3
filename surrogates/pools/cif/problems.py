"""Why a text cannot be read as a structure."""

from __future__ import annotations


class UnreadableError(ValueError):
    """A text holds no structure, or not the whole of one."""
