"""Which jobs campaigns have begun on a laboratory, for which store: who asks may have lost it, or have a copy of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from campaigns.errors import LabError, StoreError
from loop.core.formatting import counted, date_time
from loop.storage.artefacts import RESTORED
from loop.storage.connections import connect_reading, is_empty
from loop.storage.integrity.damage import advice
from loop.storage.integrity.write_waits import Tell, wait_for_room

_NAME = "begun.jsonl"


@dataclass(frozen=True, slots=True)
class BegunJob:
    """An attempt at a step that was begun on a laboratory.

    Attributes:
        campaign: when its campaign was created, in seconds since the epoch.
        token: of the attempt.
        trial: its number, in the store for which it was begun.
        store: path of that.
        wall: when, in seconds since the epoch.
    """

    campaign: float
    token: str
    trial: int
    store: str
    wall: float


class BegunJobs:
    """The jobs that campaigns have begun on a laboratory, in a file of a folder beside its lab file, or else the store.

    A line is written before an instrument is told, and not synced: after a power failure the last lines may be missing,
    which matter only where a copy of a store is gone on with.

    Args:
        folder: that folder.
        store: of the campaign that asks.
        tell: told that the disk has no room, when that is waited for.
    """

    def __init__(self, folder: Path, store: Path, tell: Tell = lambda _: None) -> None:
        self._file, self._store = folder / _NAME, store.resolve()
        self._tell = tell
        self.elsewhere: frozenset[str] = frozenset()
        """Tokens of attempts that were begun for another copy of the store, which this one does not hold."""

    def check(self) -> str:
        """Check that the store holds all that its campaign has begun here; return what people have to know of it.

        Raises:
            StoreError: it holds nothing although jobs were begun for it; or another copy of it has been gone on with,
                and nobody has said that this one counts.
            LabError: the file cannot be read.
        """
        if is_empty(self._store):
            return ""
        created, tokens, restored = self._held()
        if created is None:
            self._check_new()
            return ""
        found = [one for one in self._lines() if one.campaign == created and one.token not in tokens]
        self.elsewhere = frozenset(one.token for one in found)
        if not found:
            return ""
        if late := [one for one in found if one.wall > restored]:
            raise StoreError(f"{self._store} is one of two branches: {_told(late)}. {self._advice(late[-1])}")
        return (
            f"{_told(found)}; this store is an earlier copy, brought back since. Steps of its own trials among them "
            "are not repeated; numbers of later trials are used again, for other samples: mark the old ones"
        )

    def _check_new(self) -> None:
        """Check that nothing was begun for a store that holds nothing."""
        if lost := [one for one in self._lines() if one.store == str(self._store)]:
            raise StoreError(
                f"{self._store} holds nothing, but {self._file} knows {counted(len(lost), 'job')} that were begun for "
                f"it. A new campaign would repeat those experiments: {advice(self._store)}. To begin afresh on "
                "purpose, name another store ('athanor run FILE --store sqlite:///NEW.db')"
            )

    def note(self, campaign: float, tokens: Iterable[str], trials: Iterable[int], wall: float) -> None:
        """Write down which attempts are about to begin.

        Raises:
            LabError: they cannot be written.
            StoreError: the disk still has no room after a while.
        """
        jobs = [BegunJob(campaign, *one, str(self._store), wall) for one in zip(tokens, trials, strict=True)]
        try:
            self._file.parent.mkdir(exist_ok=True)
            wait_for_room(self._file, self._tell)
            with self._file.open("a", encoding="utf-8") as file:
                file.write("".join(json.dumps(asdict(one)) + "\n" for one in jobs))
        except OSError as error:
            raise LabError(f"{self._file} cannot be written: {error.strerror}; nothing was moved") from error

    def _held(self) -> tuple[float | None, Collection[str], float]:
        """Return when the campaign was created, the attempts that the store holds, and when it was brought back."""
        with closing(connect_reading(self._store)) as connection:
            created = connection.execute("SELECT created FROM campaign").fetchone()
            tokens = {token for (token,) in connection.execute("SELECT token FROM step")}
            restored = connection.execute("SELECT body FROM artefact WHERE kind = ?", (RESTORED,)).fetchone()
        since = 0.0 if restored is None else float(json.loads(restored[0])["wall"])
        return (None if created is None else created[0]), tokens, since

    def _lines(self) -> list[BegunJob]:
        try:
            text = self._file.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LabError(f"{self._file} cannot be read: {error.strerror}") from error
        return [BegunJob(**json.loads(line)) for line in text.split(b"\n")[:-1] if line.strip()]

    def _advice(self, last: BegunJob) -> str:
        if Path(last.store) == self._store:
            how = f"bring back the latest copy by 'athanor restore'; to go on with {self._store} all the same,"
        else:
            how = f"go on with {last.store}, and put this one away; to go on with this one all the same,"
        return (
            f"Both together would give two samples one number, and may repeat steps: {how} back it up and bring that "
            "back ('athanor backup --to FILE', 'athanor restore FILE'), which says that it counts from now on"
        )


def _told(jobs: Sequence[BegunJob]) -> str:
    trials = ", ".join(map(str, dict.fromkeys(one.trial for one in jobs)))
    whose = ", ".join(dict.fromkeys(one.store for one in jobs))
    return (
        f"the instruments have begun {counted(len(jobs), 'job')} of trials {trials} for {whose}, the last on "
        f"{date_time(jobs[-1].wall)}, that it does not hold"
    )
