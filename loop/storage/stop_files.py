"""Where the emergency stop of a campaign's laboratory stands: beside its lab file, or beside its store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from campaigns.campaign import Campaign
from campaigns.parsing.yaml_lines import read_document
from instruments.emergency_stop import StopFile

STOP_FILE = "stop_file"
"""Kind of the artefact that says where the emergency stop of a store's laboratory stands."""


def stop_file_of(campaign: Campaign, store: Path) -> StopFile:
    """Return the emergency stop of a campaign's laboratory: that of its lab file, which several campaigns may share."""
    return StopFile(store.with_suffix(".stop") if campaign.rules is None else campaign.rules.stop_file)


def stop_files(file: Path | None, folder: Path) -> list[StopFile]:
    """Return the emergency stops that a file stands for; without one, those of all files of a folder.

    Args:
        file: a campaign file, a lab file, or a stop file itself. It need not be valid: an emergency does not wait.
        folder: where to look without one.
    """
    if file is not None:
        return [_stop_of(file)]
    ours = [one for one in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]) if _is_ours(one)]
    return list(dict.fromkeys(_stop_of(one) for one in (*ours, *sorted(folder.glob("*.stop")))))


def _stop_of(file: Path) -> StopFile:
    file = file.absolute()
    if file.suffix == ".stop":
        return StopFile(file)
    lab = _data(file).get("lab")
    if isinstance(lab, Mapping) and lab.get("kind") == "file" and isinstance(lab.get("path"), str):
        return StopFile((file.parent / lab["path"]).with_suffix(".stop"))
    return StopFile(file.with_suffix(".stop"))


def _is_ours(file: Path) -> bool:
    data = _data(file)
    return "lab" in data and ("workflow" in data or "stations" in data)


def _data(file: Path) -> Mapping[str, Any]:
    try:
        data = read_document(file.read_text(encoding="utf-8", errors="replace")).data
    except (OSError, yaml.YAMLError, RecursionError):
        return {}
    return data if isinstance(data, Mapping) else {}
