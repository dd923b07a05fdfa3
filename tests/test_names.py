"""No name stands for two things: file names of modules, and names of public classes and functions."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.snippets import ROOT

PACKAGES = ("campaigns", "instruments", "surrogates", "simulators", "loop")

SHARED = {"experiment.py": "Ax's experiment of a campaign, and the simulated one of an instrument, are both called so"}
"""Names that stand for two things nevertheless, with the reason."""

FUNCTIONS = {
    "column": "a column of the data at hand, as an array",
    "coverage": "the share of values inside their intervals",
    "discharge": "of a cell: simulated, and analysed",
    "evaluate": "of a trained model: the command, and what it calls; of a crystal, as `Embedder` calls it",
    "front_table": "one table on the terminal, one in the report",
    "in_unit": "a value in another unit, and the decorator that declares one",
    "line": "a line of the log, and the line of a figure",
    "main": "what a program runs",
    "phase_fraction": "the metric, by two analyses",
    "prior_values": "the prior of a metric, by a trained model and as the Gaussian process takes it",
    "ranking": "the command, and what it calls",
    "ranking_table": "one table on the terminal, one in the report",
    "rows": "of the tables that scripts write",
    "run": "the command, and what it calls",
    "show": "a command of each application",
    "slice_figure": "along one parameter: of the models, and of the trials",
    "stated_unit": "the unit that a signal, or the head of a column, states",
    "summary_rows": "of a campaign, and of a pool",
    "theoretical_capacity": "the simulated laboratory does not ask the surrogates",
    "tolerance_factor": "the simulated laboratory does not ask the surrogates",
    "train": "the command, and what it calls",
    "trials_table": "one table on the terminal, one in the report",
    "trouble": "why something cannot be used",
}
"""Names of public functions in several modules, and the one thing that each stands for."""


def modules() -> list[str]:
    """Return the modules by their paths, but for packages themselves."""
    files = (file for name in PACKAGES for file in sorted(ROOT.glob(f"{name}/**/*.py")))
    return [str(file.relative_to(ROOT)) for file in files if file.name != "__init__.py"]


def public(kind: type[ast.ClassDef] | type[ast.FunctionDef]) -> Iterator[tuple[str, str]]:
    """Yield name and module of the public classes, or functions, of all modules."""
    for module in modules():
        for node in ast.parse((ROOT / module).read_text(encoding="utf-8")).body:
            if isinstance(node, kind) and not node.name.startswith("_"):
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
    assert not repeated(public(ast.ClassDef))


def test_no_two_public_functions_have_one_name_for_two_things() -> None:
    found = repeated(public(ast.FunctionDef))
    assert not {name: where for name, where in found.items() if name not in FUNCTIONS}
    assert set(FUNCTIONS) <= set(found), "remove names that stand in one module only"
