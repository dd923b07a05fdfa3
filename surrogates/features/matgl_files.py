"""Where the files of a matgl model are, and why they cannot be used: found without torch, matgl or a network."""

from __future__ import annotations

import ast
import json
import re
import zipfile
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, assert_never

from campaigns.surrogate import (
    ChgnetConfig,
    CompositionConfig,
    CustomFeaturesConfig,
    FeaturesConfig,
    MatglConfig,
    PhysicalConfig,
    SitesConfig,
    ValenceConfig,
)

FILES = ("model.pt", "state.pt", "model.json")
"""What ``model.save`` of matgl writes."""

NETWORKS = ("MEGNet", "M3GNet", "TensorNet", "CHGNet")
"""The networks of matgl whose features are known."""

_WRAPPERS = ("Potential", "TransformedTargetModel")
_ORGANISATION = "materialyze"  # whose models matgl means by a bare name
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


def problems(config: FeaturesConfig) -> str | None:
    """Return why the model of some features cannot be used, or None; in milliseconds, without a network."""
    match config:
        case MatglConfig(model=model, place=place):
            return trouble(model, place)
        case (
            ChgnetConfig()
            | CompositionConfig()
            | SitesConfig()
            | PhysicalConfig()
            | ValenceConfig()
            | CustomFeaturesConfig()
        ):
            return None  # weights in the wheel, no weights, or a dotted path that is checked with all others
        case _:
            assert_never(config)


def trouble(model: str, place: Path | None = None) -> str | None:
    """Return why a matgl model cannot be used, or None.

    Args:
        model: name of a folder or of a published model.
        place: where a folder of that name would be; by default in the working directory.
    """
    folder = place or Path(model)
    if folder.is_dir():
        return _folder_trouble(folder)
    if folder.exists():
        return f"matgl model {model!r}: {folder} is a file; name the folder that model.save of matgl wrote"
    cached = _in_cache(model)
    return _not_found(model, folder) if cached is None else _folder_trouble(cached)


def model_folder(model: str, place: Path | None = None) -> Path:
    """Return the folder of a model's files, for a model that has no trouble.

    Raises:
        FileNotFoundError: there is no such model.
    """
    folder = place or Path(model)
    found = folder if folder.is_dir() else _in_cache(model)
    if found is None:
        raise FileNotFoundError(_not_found(model, folder))
    return found


def matgl_cache() -> Path:
    """Return the folder where matgl keeps what it has downloaded."""
    return Path.home() / ".cache" / "matgl"


def _not_found(model: str, folder: Path) -> str:
    return (
        f"matgl model {model!r} is no folder ({folder.absolute()}) and is not in matgl's cache, {matgl_cache()}; "
        f"nothing is downloaded here: on a machine with network, run matgl.load_model({model!r}).save('folder'), and "
        "name that folder"
    )


def _in_cache(model: str) -> Path | None:
    """Return the folder of a published model in the cache, which is laid out as that of the Hugging Face hub."""
    if not _HUB_NAME.fullmatch(model):
        return None
    name = model if "/" in model else f"{_ORGANISATION}/{model}"
    repository = matgl_cache() / f"models--{name.replace('/', '--')}"
    reference = repository / "refs" / "main"
    if not reference.is_file():
        return None
    folder = repository / "snapshots" / reference.read_text(encoding="utf-8").strip()
    return folder if folder.is_dir() else None


def _folder_trouble(folder: Path) -> str | None:
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing:
        return (
            f"matgl model {folder} lacks {', '.join(missing)}; a model's folder holds {', '.join(FILES)}: save it "
            "again with model.save of matgl"
        )
    broken = [file for file in ("model.pt", "state.pt") if not zipfile.is_zipfile(folder / file)]
    if broken:
        return f"matgl model {folder}: {', '.join(broken)} is damaged or no file of torch; copy or save the model again"
    try:
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        return f"matgl model {folder}: model.json cannot be read ({error}); copy or save the model again"
    reason = _class_trouble(description)
    return None if reason is None else f"matgl model {folder} {reason}"


def _class_trouble(description: Any) -> str | None:
    """Return why what model.json describes cannot be loaded by the matgl that is installed."""
    layers = [description]
    if isinstance(description, dict) and description.get("@class") in _WRAPPERS:
        kwargs = description.get("kwargs")
        layers.append(kwargs.get("model") if isinstance(kwargs, dict) else None)
    names = [layer.get("@class") if isinstance(layer, dict) else None for layer in layers]
    if names[-1] not in NETWORKS:
        return f"holds a {names[-1]}; allowed: {', '.join(NETWORKS)}"
    if foreign := foreign_modules(description):
        return f"names code that is not matgl's ({', '.join(foreign)}), which it would run; use models of matgl only"
    for name, layer in zip(names, layers, strict=True):
        got, ours = layer.get("@model_version", 0), _installed_versions().get(str(name))
        if got != ours:
            return (
                f"was saved by another matgl: version {got} of {name}, and matgl {version('matgl')} has version "
                f"{ours}; save it with the matgl that is installed here, or train it again"
            )
    return None


def foreign_modules(description: Any) -> list[str]:
    """Return the modules, other than matgl's, of which a saved model would make objects when it is loaded."""
    if isinstance(description, Mapping):
        named = [description["@module"]] if "@module" in description else []
        foreign = [str(name) for name in named if str(name).split(".")[0] != "matgl"]
        return foreign + [name for value in description.values() for name in foreign_modules(value)]
    if isinstance(description, list | tuple):
        return [name for value in description for name in foreign_modules(value)]
    return []


@cache
def _installed_versions() -> dict[str, int]:
    """Return the version of each class that may be in a model.json, read from matgl's source."""
    spec = find_spec("matgl")
    package = Path(str(spec.origin if spec else "")).parent
    found: dict[str, int] = {}
    for file in (*sorted((package / "models").glob("*.py")), package / "apps" / "pes.py"):
        for node in ast.parse(file.read_bytes()).body:
            if isinstance(node, ast.ClassDef) and node.name in (*NETWORKS, *_WRAPPERS):
                found[node.name] = _version_of(node)
    return found


def _version_of(node: ast.ClassDef) -> int:
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__version__")], value=ast.Constant(value=int(number))):
                return number
    return 0
