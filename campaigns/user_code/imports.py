"""Whether the imports of a user-defined module exist, found without importing it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from campaigns.user_code.definitions import NoNameError, define
from campaigns.user_code.module_files import (
    ForbiddenModuleError,
    ModuleFile,
    NoModuleError,
    Origin,
    installation,
    locate,
)


def failing_import(module: ModuleFile, folder: Path | None) -> str:
    """Return the first import of a module that must fail; empty where none is known to.

    Imports within ``try``, ``if`` and functions may be meant to fail, and are left out.
    """
    if module.origin is not Origin.OWN or not module.is_source:
        return ""
    for line, name, names in _imports(ast.parse(module.file.read_bytes())):
        try:
            found = locate(name, folder)
        except ForbiddenModuleError:
            continue  # a user-defined module may use the standard library
        except NoModuleError:
            if _is_package(name, folder):
                continue
            how = installation(name.split(".")[0])
            return f"{module.file.name} imports {name} in line {line}, which is not there; install or correct it{how}"
        for one in names if found.origin is not Origin.INSTALLED else ():
            if why := _absent(name, one, folder):
                return f"{module.file.name} imports {one} from {name} in line {line}, but {why}; correct it there"
    return ""


def _imports(tree: ast.Module) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line, module and names of the imports that are always made."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name, []) for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module, [one.name for one in node.names if one.name != "*"]


def _is_package(name: str, folder: Path | None) -> bool:
    """Return whether a package is there that holds nothing itself, or makes its modules when it is imported."""
    top = name.split(".", maxsplit=1)[0]
    try:
        return locate(top, folder).origin is Origin.INSTALLED
    except ForbiddenModuleError:
        return True
    except NoModuleError as error:
        return "no module that holds anything" in str(error)


def _absent(module: str, name: str, folder: Path | None) -> str:
    """Return why a module has no such name, nor a module of that name in it; empty if it has."""
    try:
        define(f"{module}:{name}", folder)
    except NoNameError as error:
        try:
            locate(f"{module}.{name}", folder)
        except NoModuleError:
            return str(error)
    except NoModuleError:
        return ""
    return ""
