"""Objects that a campaign file names by dotted path, imported once it is known what they are."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from campaigns.errors import CampaignError, Problem, raised_by
from campaigns.user_code.dotted_paths import NamedObject, Use, trouble
from campaigns.user_code.module_files import OURS, ForbiddenModuleError, NoModuleError, installation, locate, opened
from campaigns.user_code.object_kinds import INSTRUMENT, ObjectKind


def load_object(path: str, where: str, use: Use, settings: Mapping[str, Any] | None = None) -> Any:
    """Return the object that a dotted path names, checked before its module is imported, and again afterwards.

    Args:
        path: package.module:name.
        where: key path in the campaign file, for errors.
        use: what the object is for.
        settings: keyword arguments that it will be given.

    Raises:
        CampaignError: it is not there, out of bounds, not of the kind that is wanted, or cannot be imported.
    """
    named = NamedObject(where, path, use, settings or {})
    if why := trouble(named, opened()):
        raise _problem(where, f"got {path!r}, but {why}")
    module, _, name = path.partition(":")
    _forget_another(module)
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise _problem(
            where, f"got {path!r}, which cannot be loaded: {error}{installation(error.name or '')}"
        ) from error
    except (Exception, SystemExit) as error:
        raise _problem(where, f"{path} cannot be loaded: {raised_by(error)}") from error
    if why := _misfit(found, use, settings or {}):
        raise _problem(where, f"got {path!r}, but it {why}")
    return found


def _forget_another(module: str) -> None:
    """Forget a module of the same name that an earlier campaign has brought along."""
    here = locate(module, opened())
    there = getattr(sys.modules.get(module), "__file__", None)
    if there is not None and Path(there).resolve() != here.file.resolve():
        for name in [one for one in sys.modules if one == module or one.startswith(f"{module}.")]:
            del sys.modules[name]


def _misfit(found: Any, use: Use, settings: Mapping[str, Any]) -> str:
    """Return why an object that was imported cannot stand where it is named; empty if it can."""
    if use is Use.DEVICE and not isinstance(found, type):
        return _no_device(found, settings)
    if not callable(found):
        return f"is a {type(found).__name__}; needed: {ObjectKind[use].words}"
    if home := _out_of_bounds(found):
        return f"comes from {home}, which is out of bounds; needed: {ObjectKind[use].words}"
    if use is Use.DEVICE:
        return "" if is_job_instrument(found) or _acts(found) else f"cannot be read; needed: {ObjectKind[use].words}"
    if use in (Use.FEATURES, Use.PLAN):
        return ""  # its settings, and what it gives, are checked where it is called
    try:
        made_first = use is Use.CALLBACK and isinstance(found, type)
        inspect.signature(found).bind(*[None] * (0 if made_first else ObjectKind[use].arguments), **settings)
    except TypeError as error:
        return f"cannot be called as it has to be ({error}); needed: {ObjectKind[use].words}"
    except ValueError:
        return ""  # compiled code that tells no signature
    return ""


def is_job_instrument(found: Any) -> bool:
    """Return whether an object is a class of instruments that run jobs."""
    names = {f"{one.__module__}.{one.__qualname__}" for one in getattr(found, "__mro__", ())}
    return isinstance(found, type) and INSTRUMENT in names


def _no_device(found: Any, settings: Mapping[str, Any]) -> str:
    """Return why an object is no plain device; empty if it is one."""
    if is_job_instrument(type(found)):
        return "is a JobInstrument that was made without the lab's clock; name its class"
    if not _acts(found):
        return f"is a {type(found).__name__}; needed: {ObjectKind.DEVICE.words}"
    return f"is a device, and no class that takes settings; remove {', '.join(settings)}" if settings else ""


def _acts(found: Any) -> bool:
    """Return whether an object, or those of a class, has what Bluesky reads a device by.

    Only a device of ophyd-async, whose answers are awaited, has a loop on which it can be connected.
    """
    there = all(hasattr(found, name) for name in ("name", "read", "describe"))
    return there and (not inspect.iscoroutinefunction(found.read) or inspect.iscoroutinefunction(_connects(found)))


def _connects(found: Any) -> Any:
    return getattr(found, "connect", None)


def _out_of_bounds(found: Any) -> str:
    """Return the module of an object, or of one that it wraps, that may not be named; empty if there is none."""
    while found is not None:
        home = getattr(found, "__module__", None) or type(found).__module__
        inner = getattr(found, "func", None) or getattr(found, "__wrapped__", None) or getattr(found, "__func__", None)
        if isinstance(home, str) and home.split(".")[0] not in OURS and not (inner and home == "functools"):
            try:
                locate(home, opened())
            except ForbiddenModuleError:
                return home
            except NoModuleError:
                pass  # made by hand
        found = inner
    return ""


def _problem(where: str, message: str) -> CampaignError:
    return CampaignError([Problem(where, message)])
