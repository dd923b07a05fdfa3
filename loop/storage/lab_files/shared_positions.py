"""Which samples lie at the positions of a lab file: one file a campaign, beside the lab file, which all others read."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from campaigns.campaign import Campaign
from campaigns.errors import LabError
from instruments.whole_file import write_whole
from loop.core.campaign_records import CampaignRecord
from loop.core.samples import SampleRegister
from loop.storage.lab_files.lab_lock import shared_folder

Occupied = Mapping[str, Sequence[str]]
"""Position to the ids of the samples that lie there, or are to lie there when a job has ended."""


class SharedPositions:
    """The positions of a lab file, as one campaign shares them with others.

    Args:
        lab_file: beside which the files lie.
        campaign: what tells the campaign from all others.
        name: of the campaign, for people.
    """

    def __init__(self, lab_file: Path, campaign: str, name: str) -> None:
        self._folder, self._own = shared_folder(lab_file) / "positions", f"{campaign}.json"
        self._name = name
        self._read: dict[str, tuple[int, dict[str, Any]]] = {}  # file to when it was written, and what it says
        self._written: dict[str, list[str]] | None = None

    def others(self) -> dict[str, list[str]]:
        """Return position to the samples of other campaigns that lie there, for people.

        Raises:
            LabError: a file cannot be read, so that nobody knows what is free.
        """
        found: dict[str, list[str]] = {}
        for file in sorted(self._folder.glob("*.json")):
            if file.name == self._own:
                continue
            body = self._body(file)
            for position, samples in body["at"].items():
                found.setdefault(position, []).extend(f"{one} of campaign {body['name']}" for one in samples)
        return found

    def publish(self, own: Occupied) -> None:
        """Say where this campaign's samples lie, where that has changed."""
        at = {position: list(samples) for position, samples in own.items() if samples}
        if at == self._written or (self._written is None and not at and not (self._folder / self._own).exists()):
            return
        with self._writing():
            write_whole(self._folder / self._own, json.dumps({"name": self._name, "at": at}))
        self._written = at

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep all others from taking a position meanwhile."""
        with self._writing():
            lock = os.open(self._folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    @property
    def state(self) -> object:
        """What is another one once another campaign has said something new."""
        return tuple(
            (file.name, _changed(file)) for file in sorted(self._folder.glob("*.json")) if file.name != self._own
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise LabError(
                f"{self._folder} cannot be written, which says where samples lie: {error.strerror}"
            ) from error

    def _body(self, file: Path) -> dict[str, Any]:
        changed = _changed(file)
        if file.name not in self._read or self._read[file.name][0] != changed:
            try:
                body = json.loads(file.read_text(encoding="utf-8"))
                self._read[file.name] = (changed, {"name": str(body["name"]), "at": dict(body["at"])})
            except (OSError, ValueError, LookupError, TypeError) as error:
                advice = "look where that campaign's samples lie, and remove the file once they are cleared away"
                raise LabError(f"{file}, which says where samples lie, cannot be read: {error}; {advice}") from error
        return self._read[file.name][1]


def shared_positions(campaign: Campaign, record: CampaignRecord) -> SharedPositions:
    """Return the positions of a campaign's lab file, as the campaign shares them; it has one."""
    assert campaign.rules is not None  # noqa: S101 - as said above
    return SharedPositions(campaign.rules.path, f"{record.created!r}-{campaign.name}", campaign.name)


def occupied(samples: SampleRegister, positions: Iterable[str]) -> dict[str, list[str]]:
    """Return position to the ids of the samples that lie there."""
    return {name: [one.id for one in samples.at(name)] for name in positions}


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:  # it is just being replaced
        return 0
