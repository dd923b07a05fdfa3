"""No name stands for two things: no two modules have one file name, and no two public classes one name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.snippets import ROOT

PACKAGES = ("campaigns", "instruments", "surrogates", "simulators", "loop")

SHARED = {"experiment.py": "Ax's experiment of a campaign, and the simulated one of an instrument, are both called so"}
"""Names that stand for two things nevertheless, with the reason."""


def modules() -> list[str]:
    """Return the modules by their paths, but for packages themselves."""
    files = (file for name in PACKAGES for file in sorted(ROOT.glob(f"{name}/**/*.py")))
    return [str(file.relative_to(ROOT)) for file in files if file.name != "__init__.py"]


def public_classes() -> Iterator[tuple[str, str]]:
    for module in modules():
        for node in ast.parse((ROOT / module).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, module


def repeated(found: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return each name that stands in several modules, with these."""
    places: dict[str, list[str]] = defaultdict(list)
    for name, module in found:
        places[name].append(module)
    return {name: where for name, where in places.items() if len(where) > 1 and name not in SHARED}


def test_no_two_modules_have_one_file_name() -> None:
    assert not repeated((module.rpartition("/")[2], module) for module in modules())


def test_no_two_public_classes_have_one_name() -> None:
    assert not repeated(public_classes())
