"""Keep pools in folders of their own, each built once.

A folder's name is a hash of everything that decides about the result. A pool is built in a temporary folder, which is
renamed when it is complete: a folder with the name is a complete pool, even if a process was killed while building.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from campaigns.errors import ModelError
from campaigns.pool_source import FolderPoolConfig, SourcePoolConfig, TablePoolConfig, missing_source
from surrogates.pools.build_report import pool_error
from surrogates.pools.cleanup import FILE, make_room, note_use, pools_folder
from surrogates.pools.pool_store import Writer
from surrogates.pools.sources.folder import structure_files
from surrogates.pools.sources.opening import open_source
from surrogates.pools.stages import Plan, Progress, read_entries, read_files, write_pool
from surrogates.structures import PoolEntry

VERSION = 5
"""To be raised when a change of this package may change what is built."""

_STALE = 86_400  # seconds after which a temporary folder is nobody's work any more


def build_pool(config: SourcePoolConfig, progress: Progress) -> Path:
    """Return the folder of a pool of files, built unless it is there.

    Args:
        config: what the campaign says of the pool; ``strict`` is applied when it is opened.
        progress: called while it is built, never when it was there.

    Raises:
        CampaignError: the source cannot be used, or holds no entry that can.
        ModelError: the folder cannot be written, or a library is missing.
    """
    properties = config.properties if isinstance(config, TablePoolConfig) else ()
    plan = Plan(fold=True, lattice=config.lattice == "chgnet", properties=properties)

    def fill(writer: Writer) -> None:
        source = open_source(config)
        write_pool(read_files(source, progress), writer, plan, progress)

    return _built(_fingerprint(config), str(config.path), fill)


def build_generated(entries: Sequence[PoolEntry], fingerprint: str, source: str, progress: Progress) -> Path:
    """Return the folder of a generated pool whose lattices are set, built unless it is there.

    Args:
        entries: what the generator made.
        fingerprint: hash of them.
        source: what the generator is called.
        progress: called while it is built, never when it was there.
    """
    plan = Plan(fold=False, lattice=True)

    def fill(writer: Writer) -> None:
        write_pool(read_entries(entries, source, progress), writer, plan, progress)

    return _built(_hash({"generated": fingerprint, "source": source} | _versions(lattice=True)), source, fill)


def _built(name: str, source: str, fill: Callable[[Writer], None]) -> Path:
    pools = pools_folder()
    target = pools / name
    if (target / FILE).exists():
        note_use(target, source)
        return target
    try:
        pools.mkdir(parents=True, exist_ok=True)
        with _temporary(pools) as folder:
            with closing(Writer(folder)) as writer:
                fill(writer)
            _publish(folder, target)
        note_use(target, source)
        make_room(source)
    except (OSError, sqlite3.Error) as error:
        raise ModelError(
            f"the pool cannot be kept in {pools} ({error}); make room, or name another folder in the environment "
            "variable ATHANOR_CACHE"
        ) from error
    return target


@contextmanager
def _temporary(pools: Path) -> Iterator[Path]:
    """Give a folder that is gone in the end; what killed processes left a day ago goes too."""
    for left in pools.glob("*.tmp"):
        if left.stat().st_mtime < time.time() - _STALE:
            shutil.rmtree(left, ignore_errors=True)
    folder = pools / f"{uuid.uuid4().hex}.tmp"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(folder: Path, target: Path) -> None:
    with (folder / FILE).open("rb") as file:
        os.fsync(file.fileno())
    try:
        folder.rename(target)
    except OSError:
        if not (target / FILE).exists():  # else another process was quicker, with the same result
            raise


def _fingerprint(config: SourcePoolConfig) -> str:
    if trouble := missing_source(config):
        raise pool_error(trouble[1])
    files = structure_files(config.path) if isinstance(config, FolderPoolConfig) else [config.path]
    contents = [(file.relative_to(config.path.parent).as_posix(), _digest(file)) for file in files]
    options = config.model_dump(mode="json", exclude={"strict", "file", "folder"})
    return _hash({"contents": contents, "options": options} | _versions(config.lattice == "chgnet"))


def _versions(lattice: bool) -> dict[str, object]:
    """Return what decides about the result beside the files: our code, the parsers, and the model of the lattices."""
    names = ("pymatgen", "spglib", "gemmi", *(("chgnet",) if lattice else ()))
    return {"version": VERSION} | {name: importlib.metadata.version(name) for name in names}


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return str(error.strerror)  # reading it will tell


def _hash(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
