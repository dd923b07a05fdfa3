"""Results of a benchmark in a file of JSON lines, so that an interrupted benchmark goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
_SUFFIXES = (".py", ".yaml", ".csv", ".txt")


class Ledger:
    """Entries on record, by key; the latest of a key counts.

    Args:
        path: the file; made when missing. Entries with keys that nobody asks for stay there.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._entries = {line["key"]: line for line in _lines(path)}

    def find(self, key: str) -> Mapping[str, Any] | None:
        """Return an entry; None when there is none yet."""
        return self._entries.get(key)

    def add(self, key: str, entry: Mapping[str, Any]) -> None:
        """Keep an entry."""
        line = {"key": key, **entry}
        self._entries[key] = line
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def key_of(decisive: Mapping[str, Any]) -> str:
    """Return a hash of everything that decides about a result, in JSON values."""
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def code_hash(paths: Iterable[str]) -> str:
    """Return a hash of files of the repository, and of all that could change a result in folders of it."""
    digest = hashlib.sha256()
    for file in (file for path in paths for file in _files(_ROOT / path)):
        digest.update(str(file.relative_to(_ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in sorted(path.rglob("*")) if file.suffix in _SUFFIXES]


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield what is in the file; a line that a kill has torn never counted, and is cut off."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    yield from map(json.loads, whole.splitlines())
