"""What all Bluesky runs of a campaign have in common: what they say of it, how they are numbered, and who listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

OnDocument = Callable[[str, dict[str, Any]], Any]


def _nobody(_: str, __: dict[str, Any]) -> None:
    """Ignore a document."""


def _from_one() -> Callable[[], int]:
    return count(1).__next__


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the runs of a campaign have in common.

    Attributes:
        start: what each start document says of the campaign.
        scan_id: returns the number of the next run, from any thread.
        publish: called with each document of a user's plan as it comes.
    """

    start: Mapping[str, Any] = field(default_factory=dict)
    scan_id: Callable[[], int] = field(default_factory=_from_one)
    publish: OnDocument = _nobody
