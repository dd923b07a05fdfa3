import subprocess
import sys

import pytest

from tests.snippets import ROOT

FOLDERS = ["campaigns", "instruments", "surrogates", "simulators", "loop"]
PACKAGES = sorted(
    ".".join(file.parent.relative_to(ROOT).parts) for name in FOLDERS for file in ROOT.glob(f"{name}/**/__init__.py")
)
VOCABULARY = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts) for file in ROOT.glob("campaigns/**/[a-z]*.py")
)
ENGINES = {"torch", "ax", "botorch", "gpytorch", "chgnet", "matgl", "bluesky", "ophyd", "caproto", "sqlmodel", "plotly"}
HEAVY = ENGINES | {"pymatgen", "pandas", "scipy", "numpy", "pydantic", "pint"}


def loaded_by(*modules: str) -> set[str]:
    """Return the top-level packages that are there after importing modules, in a process of its own."""
    code = f"import sys, {', '.join(modules)}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_folders_are_found() -> None:
    assert set(FOLDERS) <= set(PACKAGES)


def test_no_folder_imports_anything_heavy_by_itself() -> None:
    assert not loaded_by(*PACKAGES) & HEAVY


@pytest.mark.slow
def test_the_vocabulary_needs_no_engine() -> None:
    # Pint loads numpy with the first unit anyway; spaces need it for tables and constraints.
    assert not loaded_by(*VOCABULARY) & (ENGINES | {"pymatgen", "pandas", "scipy"})


@pytest.mark.slow
@pytest.mark.parametrize("module", ["instruments.station", "simulators.virtual_lab"])
def test_a_lab_needs_neither_models_nor_database(module: str) -> None:
    assert not loaded_by(module) & {"torch", "ax", "botorch", "gpytorch", "chgnet", "matgl", "sqlmodel", "plotly"}
