"""What a campaign's run and the lab process say to each other, beside questions about instruments."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path

from campaigns.lab.lab_claim import LabClaim
from campaigns.lab.lab_rules import LimitConfig

HEARTBEAT = 2.0
"""Wall time in seconds between two signs of life of a campaign's run. Not tuned: a fifth of ``SILENCE``."""
SILENCE = 10.0
"""Wall time in seconds without a sign of life after which a run counts as away, as one that was suspended.

Not tuned: longer than a loaded machine keeps a process waiting; a run that was only slow attaches again at once.
"""


class Purpose(StrEnum):
    """What a line is for."""

    STATION = "station"
    """Questions about one station's instrument."""
    CAMPAIGN = "campaign"
    """What a campaign waits for, and what it is given."""
    STATUS = "status"
    """One answer: a ``SharedLabStatus``."""
    CLOSE = "close"
    """The laboratory is closed once the jobs under way have ended."""


@dataclass(frozen=True, slots=True)
class Member:
    """A campaign that attaches.

    Attributes:
        id: unique to the campaign, and the same in each of its sessions.
        name: for people.
        claim: its priority and share.
        folder: beside its store, where its jobs are remembered.
        limits: station to setting to limits: those of the lab file, or tighter ones.
        lab: fingerprint of the lab file as the campaign has read it.
    """

    id: str
    name: str
    claim: LabClaim
    folder: Path
    limits: Mapping[str, Mapping[str, LimitConfig]]
    lab: str


@dataclass(frozen=True, slots=True)
class Handshake:
    """What is said first on a line; ``member`` and ``station`` where the purpose needs them."""

    purpose: Purpose
    member: Member | None = None
    station: str = ""


@dataclass(frozen=True, slots=True)
class CampaignStatus:
    """What a campaign has in the laboratory now.

    Attributes:
        taken: how many of its messages were taken into account.
        has: station to the token of the job for which the campaign has it; empty where none was begun yet.
        waits: station to why the campaign has to wait for it.
        closed: station to why nothing may move there.
        unsafe: station to why it may not be in its safe state.
        trips: station to how often its interlocks have tripped.
    """

    taken: int = 0
    has: Mapping[str, str] = field(default_factory=dict)
    waits: Mapping[str, str] = field(default_factory=dict)
    closed: Mapping[str, str] = field(default_factory=dict)
    unsafe: Mapping[str, str] = field(default_factory=dict)
    trips: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StationStatus:
    """How a station stands: what it does, who has it and who waits, in order, and station time by campaign [s]."""

    doing: str
    reserved: str
    queue: tuple[str, ...]
    used: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SharedLabStatus:
    """How a laboratory stands.

    Attributes:
        pid: of the lab process.
        stations: name to how it stands.
        members: name of each campaign to its claim, and whether its run is there.
        closing: whether it is being closed.
    """

    pid: int
    stations: Mapping[str, StationStatus]
    members: Mapping[str, tuple[LabClaim, bool]]
    closing: bool


def _protocol() -> bytes:
    """Return what both ends of a line have to agree on: the version, and of what messages consist."""
    classes = (Member, Handshake, CampaignStatus, StationStatus, SharedLabStatus, LabClaim)
    told = [(one.__name__, [(part.name, str(part.type)) for part in fields(one)]) for one in classes]
    told.append((LimitConfig.__name__, [(name, str(part)) for name, part in LimitConfig.model_fields.items()]))
    messages = hashlib.sha256(repr(told).encode()).hexdigest()[:8]
    return f"{importlib.metadata.version('athanor-sdl')}, messages {messages}".encode()


PROTOCOL = _protocol()
"""Said first on each line, as plain text, which every version understands."""


def fingerprint(lab_file: Path) -> str:
    """Return what tells one text of a lab file from another.

    Raises:
        OSError: it cannot be read.
    """
    return hashlib.sha256(lab_file.read_bytes()).hexdigest()
