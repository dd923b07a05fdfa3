"""What ``athanor backup`` and ``athanor restore`` do, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from campaigns.errors import StoreError
from loop.core.formatting import date_time
from loop.storage.integrity.backup import back_up, restore_backup
from loop.storage.integrity.copies import Copy, copy_path
from loop.storage.integrity.witnesses import beyond_text
from loop.storage.paths import default_store, open_existing
from loop.storage.reader import Reader, store_path

_COPY = re.compile(rf"(.+)\.({'|'.join(Copy)})-.*\.db")


def back_up_campaign(file: Path | None, url: str | None, to: Path | None) -> Iterator[str]:
    """Back up the store of a campaign; yield what there is to say.

    Raises:
        StoreError: there is no such store, it is damaged, or the copy cannot be written.
    """
    store = open_existing(file, url).path
    target = copy_path(store, Copy.BACKUP) if to is None else to
    if target.is_dir():
        target /= copy_path(store, Copy.BACKUP).name
    back_up(store, target)
    yield f"{target} written: {_holdings(target)}"
    yield f"'athanor restore {target}{'' if file is None else f' {file}'}' brings it back"


def restore_campaign(backup: Path, file: Path | None, url: str | None) -> Iterator[str]:
    """Bring a store back from a backup; yield what there is to say.

    Raises:
        StoreInUseError: a process runs the campaign.
        StoreError: there is no such backup, it is damaged, or it is not clear of which store it is.
    """
    if not backup.is_file():
        raise StoreError(f"no backup at {backup}; 'athanor backup' writes one, beside the store unless --to says where")
    holdings, store = _holdings(backup), _store_of(backup, file, url)
    kept = restore_backup(backup, store)
    yield f"{store} is that of {backup}: {holdings}"
    if kept is not None:
        yield f"what was there is kept as {kept}"
    if text := beyond_text(store):
        yield text
    yield "'athanor run' goes on from there"


def _holdings(path: Path) -> str:
    """Return what a copy of a store holds."""
    reader = Reader(f"sqlite:///{path}")
    campaign, trials, sessions = reader.campaign(), reader.trials(), reader.sessions()
    open_ = sum(not trial.state.ended for trial in trials)
    under_way = f", {open_} of them under way" if open_ else ""
    last = f", last activity {date_time(sessions[-1].ended)}" if sessions else ""
    return f"campaign {campaign.name}, {len(trials)} trials{under_way}{last}"


def _store_of(backup: Path, file: Path | None, url: str | None) -> Path:
    """Return the store that a backup is of: as told, or as the name of the backup says."""
    if url is not None or file is not None:
        return store_path(url or default_store(file or Path()))
    named = _COPY.fullmatch(backup.name)
    if named is None:
        raise StoreError(f"of which campaign is {backup.name}? name its file: athanor restore {backup} FILE")
    return backup.with_name(f"{named[1]}.db")
