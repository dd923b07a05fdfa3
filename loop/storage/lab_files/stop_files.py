"""Where the emergency stop of a campaign's laboratory stands: beside its lab file, or beside its store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from campaigns.errors import CampaignError, Problem, suggestion
from campaigns.parsing.yaml_lines import read_document
from instruments.emergency_stop import StopFile

if TYPE_CHECKING:  # it takes longer to load than everything else here, and an emergency does not wait
    from campaigns.campaign import Campaign

STOP_FILE = "stop_file"
"""Kind of the artefact that says where the emergency stop of a store's laboratory stands."""
_PATIENCE = 0.2
"""Wall time in seconds for which a store is waited for that is being written. Not tuned: an emergency does not wait."""


def stop_file_of(campaign: Campaign, store: Path) -> StopFile:
    """Return the emergency stop of a campaign's laboratory: that of its lab file, which several campaigns may share."""
    return StopFile(store.with_suffix(".stop") if campaign.rules is None else campaign.rules.stop_file)


def stop_files(file: Path | None, folder: Path) -> list[StopFile]:
    """Return the emergency stops that a file stands for; without one, those of all files of a folder.

    What a run of a campaign watches stands in its store, and counts beside what its file says now.

    Args:
        file: a campaign file, a lab file, or a stop file itself. It need not be valid: an emergency does not wait.
        folder: where to look without one.

    Raises:
        CampaignError: the file is none of these, so that nobody would watch its stop.
    """
    if file is not None:
        return list(dict.fromkeys(_stops_of(_there(file))))
    found = [*_ours(folder), *sorted(folder.glob("*.db")), *sorted(folder.glob("*.stop"))]
    return list(dict.fromkeys(stop for one in found for stop in _stops_of(one)))


def _there(file: Path) -> Path:
    """Return a file that stands for a laboratory.

    Raises:
        CampaignError: it does not, with those that lie beside it.
    """
    beside = [file.with_suffix(suffix) for suffix in (".stop", ".db")] if file.name else []
    written = [file] if file.suffix != ".stop" else [file.with_suffix(suffix) for suffix in (".yaml", ".yml")]
    if any(one.is_file() for one in beside) or any(_may_be_ours(one) for one in written):
        return file
    ours = [one.name for one in _ours(file.absolute().parent)]
    why = "is no campaign, lab or stop file" if file.exists() else "there is no such file"
    listed = f"campaigns and labs there: {', '.join(ours) or 'none'}{suggestion(file.name, ours)}"
    advice = "NOTHING was stopped; to stop all laboratories of this folder: athanor stop --emergency"
    raise CampaignError([Problem(str(file), f"{why}; {listed}; {advice}")], "")


def _stops_of(file: Path) -> Iterator[StopFile]:
    """Yield where a file says that its emergency stop stands, and where the runs of its store look for it."""
    file = file.absolute()
    if file.suffix != ".db":
        yield _said(file)
    name = (_data(file) or {}).get("name") if file.suffix in (".yaml", ".yml") else None
    for store in sorted({file.with_suffix(".db"), *(file.parent.glob("*.db") if name else ())}):
        kept = _kept(store, None if store == file.with_suffix(".db") else name)
        if kept is not None:
            yield kept


def _said(file: Path) -> StopFile:
    if file.suffix == ".stop":
        return StopFile(file)
    lab = (_data(file) or {}).get("lab")
    if isinstance(lab, Mapping) and lab.get("kind") == "file" and isinstance(lab.get("path"), str):
        return StopFile((file.parent / lab["path"]).absolute().with_suffix(".stop"))
    return StopFile(file.with_suffix(".stop"))


def _kept(store: Path, name: Any) -> StopFile | None:
    """Return the emergency stop that the runs of a store watch; None where it cannot be told at once.

    Args:
        store: its file.
        name: of the campaign that the store has to be of; None for any.
    """
    if not store.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)) as connection:
            query = "SELECT body FROM artefact WHERE kind = ? AND (? IS NULL OR ? IN (SELECT name FROM campaign))"
            found = connection.execute(query, (STOP_FILE, name, name)).fetchone()
        return None if found is None else StopFile(Path(json.loads(found[0])["path"]))
    except (sqlite3.Error, ValueError, LookupError, TypeError):
        return None


def _ours(folder: Path) -> list[Path]:
    """Return the campaigns and lab files of a folder."""
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return [one for one in files if _says_lab(_data(one) or {})]


def _may_be_ours(file: Path) -> bool:
    """Return whether a file is a campaign or a lab file, or one that is broken now."""
    if not file.is_file() or file.suffix not in (".yaml", ".yml"):
        return False
    data = _data(file)
    return data is None or _says_lab(data)


def _says_lab(data: Mapping[str, Any]) -> bool:
    return "lab" in data and ("workflow" in data or "stations" in data)


def _data(file: Path) -> Mapping[str, Any] | None:
    """Return what a file says; None where it cannot be read."""
    try:
        data = read_document(file.read_text(encoding="utf-8", errors="replace")).data
    except (OSError, yaml.YAMLError, RecursionError):
        return None
    return data if isinstance(data, Mapping) else {}
