"""Folders of trained models: written as a whole or not at all, and found again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from campaigns.errors import ModelError
from surrogates.features.matgl_files import FILES, matgl_cache
from surrogates.training.record import RECORD, TrainingRecord, read_record


def check_folder_unused(folder: Path) -> None:
    """Check that a folder can be written.

    Raises:
        ModelError: there is something by this name already, or no place for it.
    """
    if folder.exists():
        raise ModelError(f"{folder} exists already; give another name to --out, or remove it first")
    if not folder.absolute().parent.is_dir():
        raise ModelError(f"{folder.absolute().parent} is no folder, so that {folder.name} cannot be made in it")


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes its name when the block ends well, and is removed when it does not.

    Raises:
        ModelError: there is something by this name already, or it cannot be written.
    """
    check_folder_unused(folder)
    partial = folder.absolute().with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        partial.mkdir()
        yield partial
        partial.rename(folder)
    except OSError as error:
        raise ModelError(f"cannot write {folder}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def trained_models(folder: Path) -> Iterator[tuple[Path, TrainingRecord | ModelError]]:
    """Yield the models in a folder and those below it, by name, or why one cannot be used."""
    for file in sorted(folder.rglob(RECORD)):
        if file.parent.name.startswith("."):
            continue
        try:
            yield file.parent, read_record(file.parent)
        except ModelError as error:
            yield file.parent, error


def chgnet_weights() -> list[str]:
    """Return the names of the weights in CHGNet's wheel."""
    spec = find_spec("chgnet")
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    return sorted(folder.name for place in places for folder in Path(place, "pretrained").iterdir() if folder.is_dir())


def hub_models() -> list[str]:
    """Return the names of the published models that are complete in matgl's cache."""
    files = matgl_cache().glob(f"models--*/snapshots/*/{FILES[0]}")
    whole = {file.parents[2].name for file in files if all((file.parent / name).is_file() for name in FILES)}
    return sorted("/".join(name.removeprefix("models--").split("--", 1)) for name in whole)
