"""What ``athanor stop`` does in an emergency, and afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from campaigns.errors import LabError, StoreError
from instruments.emergency_stop import MadeStop, StopFile
from loop.core.author import author
from loop.storage.lab_files.stop_files import stop_files


@dataclass(frozen=True, slots=True)
class StopRequest:
    """Which laboratory, who, and why; without a file, all laboratories of the folder."""

    file: Path | None
    author: str = ""
    reason: str = ""


def stop_everything(request: StopRequest) -> list[str]:
    """Make all emergency stops, and only then say which, how they are cleared, and what could not be written.

    Raises:
        CampaignError: the file is no campaign, lab or stop file.
        StoreError: there is no campaign and no lab file in the folder.
        LabError: a stop could not be made at all; the message says first what was not stopped, and what to do.
    """
    made = [(one, one.make(request.author or author(), request.reason)) for one in _stops(request)]
    said = [text for one, result in made for text in _told(one, result)]
    if failed := [(one, result) for one, result in made if result.stop is None]:
        raise LabError("\n".join([_not_stopped(failed, len(made)), *said]))
    return said


def _told(one: StopFile, made: MadeStop) -> Iterator[str]:
    """Yield what people have to know of an emergency stop that holds."""
    if made.stop is None:
        return
    yield f"{made.stop.text}; {one.how_to_clear}"
    yield from (f"warning: {text}" for text in made.unwritten)
    if made.unwritten and not one.path.exists():
        yield (
            f"warning: the stop stands in {one.places[1]} alone: processes of this machine stop, and it is gone when "
            "the machine is started anew; give the command again as soon as the disk can be written"
        )


def _not_stopped(failed: Sequence[tuple[StopFile, MadeStop]], count: int) -> str:
    what = "NOTHING was stopped" if len(failed) == count else f"{len(failed)} of {count} were NOT stopped"
    why = "; ".join(text for _, made in failed for text in made.unwritten)
    files = " and ".join(" or ".join(f"'touch {place}'" for place in one.places) for one, _ in failed)
    return (
        f"{what}: {why}\nUse the emergency stop of the instruments themselves NOW. On the machine of the run, {files} "
        "by whoever may do that stops it, too; so does Ctrl-C, pressed twice where it runs"
    )


def clear_stop(request: StopRequest) -> Iterator[str]:
    """Clear emergency stops, and say which.

    Raises:
        CampaignError: the file is no campaign, lab or stop file.
        StoreError: there is none.
        LabError: it cannot be written down, or removed: the stop holds.
    """
    cleared = [(one, there) for one in _stops(request) if (there := one.clear(request.author, request.reason))]
    if not cleared:
        raise StoreError("there is no emergency stop to clear; allowed: the campaign, lab or stop file of one")
    for one, there in cleared:
        yield f"{_shown(one.path)}: cleared by {request.author}: {request.reason}; it was the {there.text}"


def _stops(request: StopRequest) -> list[StopFile]:
    try:
        if found := stop_files(request.file, Path.cwd()):
            return found
    except OSError as error:
        text = f"no emergency stop was made or cleared: {error}; name the stop file: athanor stop LAB.stop --emergency"
        raise LabError(text) from error
    raise StoreError("no campaign and no lab file here; name one: athanor stop FILE --emergency")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
