"""What ``athanor stop`` does in an emergency, and afterwards."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from campaigns.errors import StoreError
from instruments.emergency_stop import StopFile
from loop.storage.stop_files import stop_files


@dataclass(frozen=True, slots=True)
class StopRequest:
    """Which laboratory, who, and why; without a file, all laboratories of the folder."""

    file: Path | None
    author: str = ""
    reason: str = ""


def stop_everything(request: StopRequest) -> Iterator[str]:
    """Make an emergency stop, and say which and how it is cleared.

    Raises:
        CampaignError: the file is no campaign, lab or stop file.
        StoreError: there is no campaign and no lab file in the folder.
        OSError: the file that stands for it cannot be made.
    """
    author = request.author or _user()
    for one in _stops(request):
        there = one.make(author, request.reason)
        yield f"{there.text}; {one.how_to_clear}"


def clear_stop(request: StopRequest) -> Iterator[str]:
    """Clear emergency stops, and say which.

    Raises:
        CampaignError: the file is no campaign, lab or stop file.
        StoreError: there is none.
    """
    cleared = [(one, there) for one in _stops(request) if (there := one.clear(request.author, request.reason))]
    if not cleared:
        raise StoreError("there is no emergency stop to clear; allowed: the campaign, lab or stop file of one")
    for one, there in cleared:
        yield f"{_shown(one.path)}: cleared by {request.author}: {request.reason}; it was the {there.text}"


def _stops(request: StopRequest) -> list[StopFile]:
    if found := stop_files(request.file, Path.cwd()):
        return found
    raise StoreError("no campaign and no lab file here; name one: athanor stop FILE --emergency")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # nobody has a name here, as in some containers
        return "operator"


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
