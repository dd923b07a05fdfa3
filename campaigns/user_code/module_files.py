"""Where a module that a campaign file names stands, found without importing anything.

It may stand beside the campaign file, be one of Athanor's own packages, or be installed. Python's standard library is
out of bounds: nothing in it is a part of a laboratory, and much of it runs whatever text it is given.
"""

from __future__ import annotations

import importlib.machinery
import sys
import sysconfig
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

OURS = ("campaigns", "instruments", "surrogates", "simulators", "loop")
"""Athanor's own packages."""
_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD = {Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib")}
_NEVER = sys.stdlib_module_names | set(sys.builtin_module_names) | {"__main__", "__mp_main__", "test"}


_EXTRAS = {"asyncua": "opcua", "ophyd_async": "ophyd-async", "pyvisa": "scpi", "requests": "http", "sila2": "sila2"}
"""Packages that devices may need and that are not installed by themselves, to the extra that has them."""


def installation(package: str) -> str:
    """Return how to install what is an extra of Athanor's; empty for any other package."""
    return f"; pip install 'athanor-sdl[{_EXTRAS[package]}]'" if package in _EXTRAS else ""


class Origin(StrEnum):
    """Whose code a module is."""

    OURS = "ours"
    OWN = "own"
    """The user's: beside the campaign file."""
    INSTALLED = "installed"
    """Anywhere else where Python looks, with the scripts of an environment and what stands beside Athanor's source."""


class NoModuleError(ValueError):
    """A module is not there, or may not be named; the message says why and what to do."""


class ForbiddenModuleError(NoModuleError):
    """A module may not be named in a campaign file."""


@dataclass(frozen=True, slots=True)
class ModuleFile:
    """A module and the file that it is made of."""

    name: str
    file: Path
    origin: Origin

    @property
    def is_source(self) -> bool:
        """Whether it can be read without importing it."""
        return self.file.suffix == ".py"


def locate(module: str, folder: Path | None) -> ModuleFile:
    """Return where a module stands.

    Args:
        module: dotted name.
        folder: of the campaign file; modules beside it are found, too.

    Raises:
        ForbiddenModuleError: it is of the standard library, or could be either of two.
        NoModuleError: there is none, or none that is made of a file.
    """
    top, *rest = module.split(".")
    spec, beside, origin = _top(top, folder)
    for part in rest:
        places = None if spec is None else spec.submodule_search_locations
        # by its last name: folders without an __init__.py would ask the module above, which is not imported
        spec = None if places is None else importlib.machinery.PathFinder.find_spec(part, list(places))
    if spec is None and origin is Origin.OURS and beside is not None:
        raise ForbiddenModuleError(_twice(beside, "a package of Athanor's"))
    if spec is None:
        raise NoModuleError(
            f"there is no module {module}; allowed: an installed one, or a file beside the campaign{installation(top)}"
        )
    if spec.origin is None or not Path(spec.origin).is_file():
        raise NoModuleError(f"{module} is no module that holds anything; name the one that does")
    return ModuleFile(module, Path(spec.origin), origin)


def _top(
    top: str, folder: Path | None
) -> tuple[importlib.machinery.ModuleSpec | None, importlib.machinery.ModuleSpec | None, Origin]:
    """Return what an import finds, what stands beside the campaign file, and whose code the former is."""
    beside = None if folder is None else importlib.machinery.PathFinder.find_spec(top, [str(folder)])
    if top in _NEVER:
        raise ForbiddenModuleError(_standard(top, beside))
    found = _found(top, folder)
    if found is not None and _of_standard_library(found):
        raise ForbiddenModuleError(_standard(top, beside))
    if top in OURS:
        return found, beside, Origin.OURS
    if found is not None and beside is not None and not _same(found, beside):
        raise ForbiddenModuleError(_twice(beside, f"{_place(found)}, which comes first"))
    own = beside is not None and _INSTALLED.isdisjoint(Path(_place(beside)).parts)
    return found or beside, beside, Origin.OWN if own else Origin.INSTALLED


def _twice(beside: importlib.machinery.ModuleSpec, other: str) -> str:
    return f"{beside.name} is {_place(beside)} beside the campaign file, and also {other}; rename the former"


def _standard(top: str, beside: importlib.machinery.ModuleSpec | None) -> str:
    allowed = "allowed: a module beside the campaign file, an installed package, or Athanor's own"
    if beside is None:
        return f"{top} is a module of Python's standard library; {allowed}"
    return f"{_place(beside)} has the name of a module of Python's standard library, which comes first; rename it"


def _found(top: str, folder: Path | None) -> importlib.machinery.ModuleSpec | None:
    """Return what an import would find, whatever is imported already; folders of other campaigns do not count."""
    path = [place for place in sys.path if place not in _opened or place == str(folder)]
    for finder in sys.meta_path:
        if type(finder).__module__ == "_distutils_hack":
            continue  # it finds nothing of its own, and unloads what others have imported when it is asked for pip
        if finder is importlib.machinery.PathFinder:
            spec = importlib.machinery.PathFinder.find_spec(top, path)
        else:
            spec = finder.find_spec(top, None) if hasattr(finder, "find_spec") else None
        if spec is not None:
            return spec
    return None


def _of_standard_library(spec: importlib.machinery.ModuleSpec) -> bool:
    place = Path(_place(spec)).resolve()
    return _INSTALLED.isdisjoint(place.parts) and any(folder in place.parents for folder in _STANDARD)


def _same(one: importlib.machinery.ModuleSpec, other: importlib.machinery.ModuleSpec) -> bool:
    return Path(_place(one)).resolve() == Path(_place(other)).resolve()


def _place(spec: importlib.machinery.ModuleSpec) -> str:
    if spec.origin not in (None, "namespace"):
        return str(spec.origin)
    return str(next(iter(spec.submodule_search_locations or ()), spec.name))


_opened: list[str] = []
"""Folders of campaigns that were put at the end of Python's search path."""


def opened() -> Path | None:
    """Return the folder beside whose campaign file modules may be imported now."""
    return Path(_opened[-1]) if _opened else None


def open_folder(folder: Path) -> None:
    """Let the modules beside a campaign file be imported, after all others; those beside another one no more."""
    place = str(folder.absolute())
    for other in [one for one in _opened if one != place]:
        _opened.remove(other)
        places = [i for i, entry in enumerate(sys.path) if entry == other]
        if places:
            del sys.path[places[-1]]  # an earlier one is the user's
    if place not in _opened:
        sys.path.append(place)
        _opened.append(place)
