"""What a dotted path names, read from source files without importing them: a function, a class, or a plain name.

Names are followed through imports, re-exports and assignments to where they are defined.
"""

from __future__ import annotations

import ast
import builtins
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import griffe

from campaigns.errors import suggestion
from campaigns.user_code.module_files import ForbiddenModuleError, ModuleFile, NoModuleError, Origin, locate

_MOST_STEPS = 50
"""Imports and assignments that are followed before a name counts as going round in circles."""


class NoNameError(ValueError):
    """A module has no such name, or cannot be read; the message says why."""


@dataclass(frozen=True, eq=False)
class Definition:
    """Where a name is defined, and what it is there.

    Attributes:
        found: None where only running the module could tell.
        folder: of the campaign file.
    """

    module: ModuleFile
    name: str
    found: griffe.Function | griffe.Class | griffe.Attribute | None
    folder: Path | None

    @property
    def path(self) -> str:
        """The module's name and the name in it, as griffe writes them."""
        return f"{self.module.name}.{self.name}"

    def follow(self, expression: object) -> Definition | None:
        """Return what an expression beside this definition names; None where that is unknown.

        Raises:
            ForbiddenModuleError: it leads into the standard library.
        """
        path = getattr(expression, "canonical_path", None)
        if not isinstance(expression, griffe.ExprName | griffe.ExprAttribute) or not path:
            return None
        try:
            return _follow(path, self.module, self.folder, 0)
        except ForbiddenModuleError:
            raise
        except (NoModuleError, NoNameError):
            return None

    def bound(self) -> set[str]:
        """Return the names that a class binds, in its body and to its objects, several at once too."""
        node = next((n for n in ast.walk(ast.parse(self.module.file.read_bytes())) if self._is(n)), None)
        inner = [] if node is None else list(ast.walk(node))
        own = {n.attr for n in inner if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
        return own if node is None else own | _bound(node)

    def _is(self, node: ast.AST) -> bool:
        return isinstance(node, ast.ClassDef) and node.name == self.name

    def ancestors(self) -> Iterator[Definition | str]:
        """Yield the class and all that it derives from as Python looks them up; names of bases that cannot be read."""
        yield from _order(self, ())

    def placed(self) -> dict[str, griffe.Expr | str]:
        """Return of what a class with several places is made of another one, by argument; empty if it is none."""
        value = self.found.value if isinstance(self.found, griffe.Attribute) else None
        if not isinstance(value, griffe.ExprCall):
            return {}
        try:
            maker = self.follow(value.function)
        except ForbiddenModuleError:
            return {}
        if maker is None or maker.path != _WITH_PLACES:
            return {}
        given = [one for one in value.arguments if not isinstance(one, griffe.ExprKeyword)]
        named = {one.name: one.value for one in value.arguments if isinstance(one, griffe.ExprKeyword)}
        return {**dict(zip(_PLACED_BY, given, strict=False)), **named}

    @property
    def is_class(self) -> bool:
        """Whether it is a class, as far as its source says."""
        return isinstance(self.found, griffe.Class) or bool(self.placed())

    def changed(self) -> bool:
        """Return whether a class of the user's own is changed after its body: by a decorator, or from outside."""
        if self.module.origin is not Origin.OWN or not isinstance(self.found, griffe.Class):
            return False
        tree = ast.parse(self.module.file.read_bytes())
        return bool(self.found.decorators) or any(_changes(node, self.name) for node in ast.walk(tree))

    def bases(self) -> list[Definition | str]:
        """Return what the class derives from: definitions, or names of what lies out of reach."""
        found: list[Definition | str] = []
        written = self.found.bases if isinstance(self.found, griffe.Class) else [self.placed().get("cls")]
        for base in filter(None, written):
            bare = base.left if isinstance(base, griffe.ExprSubscript) else base
            path = str(getattr(bare, "canonical_path", bare))
            if path.split(".")[0] in _ENGINES:
                found.append(path)
                continue
            try:
                found.append(self.follow(bare) or path)
            except ForbiddenModuleError:
                found.append(path)
        return found


def _order(one: Definition | str, below: tuple[str, ...]) -> list[Definition | str]:
    """Return Python's method resolution order (C3), with names where definitions are out of reach."""
    if isinstance(one, str) or one.path in below:
        return [one]
    bases = one.bases()
    waiting = [line for line in ([*(_order(base, (*below, one.path)) for base in bases), bases]) if line]
    found: list[Definition | str] = [one]
    while waiting:
        later = {_key(other) for line in waiting for other in line[1:]}
        chosen = next((line[0] for line in waiting if _key(line[0]) not in later), waiting[0][0])
        found.append(chosen)
        waiting = [rest for line in waiting if (rest := [o for o in line if _key(o) != _key(chosen)])]
    return found


def _key(one: Definition | str) -> str:
    return one if isinstance(one, str) else one.path


def _changes(node: ast.AST, name: str) -> bool:
    """Return whether a node sets an attribute of a class by the class's name."""
    match node:
        case ast.Attribute(value=ast.Name(id=owner), ctx=ast.Store()):
            return owner == name
        case ast.Call(func=ast.Name(id="setattr"), args=[ast.Name(id=owner), *_]):
            return owner == name
    return False


_WITH_PLACES = "instruments.places.with_places"
"""What makes a class of another one that takes one sample."""
_PLACED_BY = ("cls", "capacity", "own")
"""Its arguments, in order."""
_ENGINES = {"ophyd", "ophyd_async", "bluesky", "numpy", "torch"}
"""Libraries whose classes are known not to derive from ours."""


def define(path: str, folder: Path | None) -> Definition:
    """Return where the object that a dotted path names is defined.

    Raises:
        NoModuleError: the module is not there or out of bounds, or an import leads out of bounds.
        NoNameError: the module has no such name, or cannot be read.
    """
    module, _, name = path.partition(":")
    return _find(locate(module, folder), name, folder, 0)


def _find(module: ModuleFile, name: str, folder: Path | None, steps: int) -> Definition:
    if not module.is_source or steps > _MOST_STEPS:
        return Definition(module, name, None, folder)
    tree = _read(module.name, module.file, module.file.stat().st_mtime_ns)
    member = tree.members.get(name)
    if member is None:
        return _elsewhere(module, tree, name, folder, steps)
    if isinstance(member, griffe.Alias):
        return _imported(member.target_path, Definition(module, name, None, folder), steps)
    if isinstance(member, griffe.Attribute) and isinstance(member.value, griffe.ExprName | griffe.ExprAttribute):
        return _imported(member.value.canonical_path, Definition(module, name, member, folder), steps)
    known = member if isinstance(member, griffe.Function | griffe.Class | griffe.Attribute) else None
    if module.origin is Origin.OWN and _by_condition(ast.parse(module.file.read_bytes()), name):
        known = None
    return Definition(module, name, known, folder)


def _imported(target: str, here: Definition, steps: int) -> Definition:
    """Return what a name that stands for another one leads to, or what stands here where that is unknown."""
    try:
        return _follow(target, here.module, here.folder, steps + 1)
    except ForbiddenModuleError:
        raise
    except (NoModuleError, NoNameError):
        return Definition(here.module, here.name, None, here.folder)


def _elsewhere(module: ModuleFile, tree: griffe.Module, name: str, folder: Path | None, steps: int) -> Definition:
    """Return a name that comes by ``from ... import *``, or is made when the module is run."""
    suggested: set[str] = set()
    for member in tree.members.values():
        if isinstance(member, griffe.Alias) and member.wildcard:
            try:
                shelf = locate(member.wildcard, folder)
                suggested |= _bound(ast.parse(shelf.file.read_bytes())) if shelf.is_source else set()
                return _find(shelf, name, folder, steps + 1)
            except (NoModuleError, NoNameError):
                continue
    code = ast.parse(module.file.read_bytes())
    names = _bound(code)
    if name in names or not names.isdisjoint(_ANY):
        return Definition(module, name, None, folder)
    modules = {
        one for node in _scope(code) if isinstance(node, ast.Import) for each in node.names for one in _bound_by(each)
    }
    public = sorted(n for n in suggested | names - modules if not n.startswith("_"))
    raise NoNameError(f"{module.name} has no {name}{suggestion(name, public)}")


def _follow(path: str, home: ModuleFile, folder: Path | None, steps: int) -> Definition:
    """Return what a dotted name means that is read in a module: the longest part of it that is a module, and a name."""
    parts = path.split(".")
    if len(parts) == 1:
        if parts[0] in vars(builtins):
            raise ForbiddenModuleError(f"{parts[0]} is built into Python; name a function or class of your own")
        return _find(home, parts[0], folder, steps)
    for size in range(len(parts) - 1, 0, -1):
        try:
            module = locate(".".join(parts[:size]), folder)
        except ForbiddenModuleError as error:
            raise ForbiddenModuleError(f"it stands for {path}, and {error}") from error
        except NoModuleError:
            continue
        if size == len(parts) - 1:
            return _find(module, parts[-1], folder, steps)
        break
    raise NoNameError(f"{path} cannot be followed")


_ANY = {"__getattr__", "globals", "exec", "setattr"}
"""What makes names that stand nowhere."""


def _by_condition(tree: ast.Module, name: str) -> bool:
    """Return whether a module binds a name several times, and not each time when it is run."""
    always = sum(name in _bound_by(node) for node in tree.body)
    every = sum(name in _bound_by(node) for node in _scope(tree))
    return every > max(always, 1)


def _bound(scope: ast.AST) -> set[str]:
    """Return the names that a module or a class binds, within ``if`` and ``try`` too, and by ``global``."""
    names = {name for node in _scope(scope) for name in _bound_by(node)}
    return names | {name for node in ast.walk(scope) if isinstance(node, ast.Global) for name in node.names}


def _scope(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a module or a class, without those within its functions and classes."""
    nodes = [scope]
    while nodes:
        for node in ast.iter_child_nodes(nodes.pop()):
            yield node
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
                nodes.append(node)


def _bound_by(node: ast.AST) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Name(id=name, ctx=ast.Store()):
            return [name]
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return [name]
        case ast.Call(func=ast.Name(id=name)) if name in _ANY:
            return [name]
        case ast.alias(name=name, asname=alias):
            return [alias or name.split(".")[0]]
    return []


def _package(name: str) -> griffe.Module | None:
    """Return a stand-in for the package that a module is in, by which its relative imports are read."""
    if not name:
        return None
    outer, _, last = name.rpartition(".")
    return griffe.Module(last, filepath=Path(last, "__init__.py"), parent=_package(outer))


@cache
def _read(name: str, file: Path, _changed: int) -> griffe.Module:
    try:
        with tokenize.open(file) as source:  # by its byte order mark or its coding line
            code = source.read()
        package, _, last = name.rpartition(".")
        return griffe.visit(last, filepath=file, code=code, parent=_package(package))
    except SyntaxError as error:
        line = "" if error.lineno is None else f"line {error.lineno}: "
        raise NoNameError(f"{file} cannot be read: {line}{error.msg}; correct it there") from error
    except (OSError, ValueError) as error:
        raise NoNameError(f"{file} cannot be read: {error}") from error
