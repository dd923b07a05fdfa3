"""What else than the store knows that a campaign was run: the instruments' memory, and copies of the store."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from campaigns.errors import StoreError
from loop.storage.connections import connect_reading, is_empty
from loop.storage.integrity.copies import copies
from loop.storage.integrity.damage import advice

_LEDGER = "instruments.jsonl"
"""File of a simulated laboratory's folder that holds each job that was begun."""


@dataclass(frozen=True, slots=True)
class KnownJob:
    """A job that an instrument knows.

    Attributes:
        sample: number of the trial.
        load: token of the load that it is part of, and its place there; empty and 0 where it is none.
    """

    token: str
    station: str
    sample: int
    step: str
    attempt: int
    load: str = ""
    place: int = 0


def lab_folder(store: Path) -> Path:
    """Return the folder beside a store where instruments keep what they remember."""
    return store.with_suffix(".lab")


def check_not_lost(store: Path) -> None:
    """Check that a store without a campaign is a new one.

    Raises:
        StoreError: it is empty or missing, and something else knows that the campaign was run.
    """
    if _count(store, "campaign"):
        return
    if found := list(_witnesses(store)):
        state = "holds nothing" if store.exists() else "is missing"
        raise StoreError(
            f"{store} {state}, but its campaign was run: {'; '.join(found)}. A new store would repeat those "
            f"experiments: {advice(store)}. To begin afresh on purpose, move these files to another folder"
        )


def jobs_beyond(store: Path) -> list[KnownJob]:
    """Return the jobs of a store's campaign that its instruments know and the store does not: it is an earlier copy."""
    with closing(connect_reading(store)) as connection:
        (created,) = connection.execute("SELECT created FROM campaign").fetchone()
        tokens = {token for (token,) in connection.execute("SELECT token FROM step")}
    return unknown_jobs(store, created, tokens)


def unknown_jobs(store: Path, created: float, tokens: Collection[str]) -> list[KnownJob]:
    """Return the jobs of the campaign that began at a time which its instruments know, but for those of tokens."""
    return [job for job in _known_jobs(store) if job.token.startswith(f"{created:.3f}-") and job.token not in tokens]


def beyond_text(store: Path) -> str:
    """Return what the instruments of a store know beyond it; empty if nothing."""
    jobs = jobs_beyond(store)
    if not jobs:
        return ""
    trials = ", ".join(map(str, dict.fromkeys(job.sample for job in jobs)))
    return (
        f"the instruments know {len(jobs)} jobs of trials {trials} that the store does not: it is an earlier copy. "
        "What is still to be done of its own trials is taken from the instruments and not repeated; later trials are "
        "missing from it, as is what people have decided since. Their numbers are used again: mark their samples"
    )


def _witnesses(store: Path) -> Iterator[str]:
    log = store.with_name(store.name + "-wal")
    if log.exists() and log.stat().st_size:
        yield f"{log} holds changes to it"
    jobs = _known_jobs(store)
    if jobs:
        yield f"{lab_folder(store)} knows {len(jobs)} jobs of {len({job.sample for job in jobs})} trials"
    elif any(path.is_file() and path.stat().st_size for path in lab_folder(store).rglob("*")):
        yield f"{lab_folder(store)} holds what instruments remember"
    yield from (f"{path} holds {count} trials" for path in copies(store) if (count := _count(path, "trial")))


def _known_jobs(store: Path) -> list[KnownJob]:
    ledger = lab_folder(store) / _LEDGER
    lines = ledger.read_bytes().split(b"\n")[:-1] if ledger.exists() else []  # a last line that was torn never counted
    of_devices = (_of_file(file) for file in lab_folder(store).rglob("*.json"))
    found = (job for line in lines for job in _parsed(line))
    return [*found, *(job for job in of_devices if job is not None)]


def _of_file(file: Path) -> KnownJob | None:
    """Return the job that a station remembers in a file of its token's name, in a folder of its own."""
    found = re.fullmatch(r"\d+\.\d{3}-(\d+)-(.+)-(\d+)(?:\.\w+)?", file.stem)
    return None if found is None else KnownJob(file.stem, file.parent.name, int(found[1]), found[2], int(found[3]))


def _parsed(line: bytes) -> list[KnownJob]:
    """Return the jobs of a line of the ledger, of a load each sample's; none of one that the lab complains of."""
    try:
        found = json.loads(line)
        station, step, load = found["instrument"], found["step"], found.get("load")
        if not load:
            return [KnownJob(found["token"], station, _trial(found["sample"]), step, found["attempt"])]
        whose = [(one["token"], station, _trial(one["sample"]), step, one["attempt"]) for one in load]
        places = [one["place"] for one in load]
        return [KnownJob(*one, found["token"], place) for one, place in zip(whose, places, strict=True)]
    except (ValueError, TypeError, KeyError):
        return []


def _trial(sample: str) -> int:
    """Return the number of a sample's trial, with which its id begins."""
    return int(re.split(r"[-.]", sample)[0])


def _count(store: Path, table: str) -> int:
    """Return how many rows a table of a store has; 0 where there is no such table, or no database."""
    if is_empty(store):
        return 0
    try:
        with closing(connect_reading(store)) as connection:
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    except sqlite3.Error:
        return 0
    return int(count)
