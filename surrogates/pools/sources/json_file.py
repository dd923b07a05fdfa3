"""Entries of a JSON file: a list of structures, a list of mappings with a structure, or ids to structures."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from campaigns.pool_source import JsonPoolConfig
from surrogates.pools.build_report import BadEntry, Place, pool_error
from surrogates.pools.sources.data_table import damaged
from surrogates.pools.sources.item import Item, PoolFiles, name_of

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class _Span:
    """Where one entry stands in the text, and what it says of its name."""

    start: int
    end: int
    name: object


def json_source(config: JsonPoolConfig) -> PoolFiles:
    """Return the entries of a JSON file; the text is kept, but never all of it as objects.

    Raises:
        CampaignError: the file is damaged, or its JSON is neither a list nor a mapping of entries.
    """
    text = _read(config.path)
    try:
        spans = list(_spans(text, config.id))
    except (json.JSONDecodeError, RecursionError) as error:
        raise pool_error(f"{config.path} is no JSON that can be read: {error}") from error
    names = {span.name for span in spans if isinstance(span.name, str)}
    if {"nextid", "ids"} <= names:
        raise pool_error(f"{config.path} is a database of ASE; name it with kind: ase")
    if {"lattice", "sites"} <= names:
        raise pool_error(f"{config.path} is one structure; a pool is a list of them, or a mapping of ids to them")
    return PoolFiles(len(spans), _items(config, text, spans))


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.name.lower().endswith(".gz") else data
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, error) from error
    return data.decode("utf-8-sig", errors="replace")


def _spans(text: str, key: str | None) -> Iterator[_Span]:
    """Yield where the entries of the outermost list or mapping stand."""
    at = _skip(text, 0)
    closing = {"[": "]", "{": "}"}.get(text[at : at + 1])
    if closing is None:
        raise json.JSONDecodeError("expected a list or a mapping", text, at)
    at = _skip(text, at + 1)
    while text[at : at + 1] != closing:
        name, start = (None, at) if closing == "]" else _key(text, at)
        value, end = _DECODER.raw_decode(text, start)
        yield _Span(start, end, _name(value, key) if closing == "]" else name)
        at = _next(text, _skip(text, end), closing)
    if text[_skip(text, at + 1) :]:
        raise json.JSONDecodeError("text after the end", text, at + 1)


def _key(text: str, at: int) -> tuple[str, int]:
    name, end = _DECODER.raw_decode(text, at)
    colon = _skip(text, end)
    if not isinstance(name, str) or text[colon : colon + 1] != ":":
        raise json.JSONDecodeError("expected 'key': value", text, at)
    return name, _skip(text, colon + 1)


def _name(value: object, key: str | None) -> object:
    """Return what a mapping in a list is called."""
    if key is None or not isinstance(value, Mapping):
        return None
    name = value.get(key)
    return "" if name is None else name


def _next(text: str, at: int, closing: str) -> int:
    """Return where the next entry begins, or the list ends."""
    if text[at : at + 1] == closing:
        return at
    if text[at : at + 1] != ",":
        raise json.JSONDecodeError(f"expected , or {closing}", text, at)
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _items(config: JsonPoolConfig, text: str, spans: list[_Span]) -> Iterator[Item | BadEntry]:
    for number, span in enumerate(spans, 1):
        place = Place(config.path.name, number)
        try:
            name = None if span.name is None else name_of(span.name, config.id or "key")
        except ValueError as error:
            yield BadEntry(place, str(error))
        else:
            content = text[span.start : span.end]
            strange = BadEntry(
                place, f"is {content[:40]}; allowed: a structure of pymatgen's, or CIF or POSCAR as text"
            )
            yield Item(place, content, name) if content.startswith(("{", '"')) else strange
