"""Files of a folder, and of the folders below it."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from pathlib import Path

from campaigns.pool_source import FolderPoolConfig
from surrogates.pools.build_report import BadEntry, Place, pool_error
from surrogates.pools.sources.item import Item, PoolFiles

_SUFFIXES = (".cif", ".vasp", ".poscar", ".mcif")
_OTHERS = (".xyz", ".extxyz", ".pdb", ".xsf", ".cssr")  # told rather than passed over
_NAMES = ("POSCAR", "CONTCAR")
_PACKED = re.compile(r"\.(gz|bz2|xz|zip)$", flags=re.IGNORECASE)


def folder_source(config: FolderPoolConfig) -> PoolFiles:
    """Return the structure files of a folder, by name.

    Raises:
        CampaignError: there are none.
    """
    files = structure_files(config.path)
    if not files:
        wanted = ", ".join((*(f"*{suffix}" for suffix in _SUFFIXES), *(f"{name}*" for name in _NAMES)))
        raise pool_error(f"{config.path} holds no structures; files that count, here and in folders below: {wanted}")
    return PoolFiles(len(files), _items(config.path, files))


def structure_files(folder: Path) -> list[Path]:
    """Return the CIF and POSCAR files of a folder and of those below it, sorted; hidden ones are left out."""
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(root, name) for name in names if _counts(name)]
    return sorted(found, key=lambda file: file.relative_to(folder).parts)


def _counts(name: str) -> bool:
    plain = _PACKED.sub("", name)  # a compressed file counts, so that it is told rather than passed over
    return not name.startswith(".") and (plain.lower().endswith(_SUFFIXES + _OTHERS) or name.startswith(_NAMES))


def _items(folder: Path, files: list[Path]) -> Iterator[Item | BadEntry]:
    for file in files:
        place = Place(file.relative_to(folder).as_posix())
        if _PACKED.search(file.name):
            yield BadEntry(place, "is compressed; unpack it")
            continue
        if file.name.lower().endswith(_OTHERS):
            yield BadEntry(place, f"is a {file.suffix} file, which is not read; convert it to CIF, such as with ASE")
            continue
        try:
            text = _decoded(file.read_bytes())
        except OSError as error:
            yield BadEntry(place, f"cannot be read: {error.strerror}")
            continue
        yield from _structures(place, text)


def _decoded(data: bytes) -> str:
    """Return a text in UTF-16 where its first bytes say so, in UTF-8, or else in Latin-1, as in old files."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _structures(place: Place, text: str) -> Iterator[Item | BadEntry]:
    """Yield the structures of one file; each block of a CIF that holds several is one."""
    name = _stem(place.file)
    from surrogates.pools.cif.block import blocks  # pymatgen, which a list of the files does not need
    from surrogates.pools.structure_parsing import is_cif

    found = blocks(text) if is_cif(text) else []
    if len(found) < 2:
        yield Item(place, text, name)
        return
    names = [block for block, _ in found]
    for number, (block, part) in enumerate(found):
        if block.lower() in (earlier.lower() for earlier in names[:number]):
            yield BadEntry(place, f"has two data blocks called {block or 'nothing'!r}; name them apart")
        else:
            yield Item(place, part, f"{name}:{block}")


def _stem(file: str) -> str:
    stem, dot, _ = file.rpartition(".")
    return stem if dot and file.lower().endswith(_SUFFIXES) else file
