"""A campaign file names code of a laboratory, and cannot run anything else; no code is run to tell."""

import sys
from pathlib import Path
from typing import Any

import pytest

from campaigns.errors import CampaignError
from campaigns.load import load_campaign
from campaigns.user_code.dotted_paths import SHIPPED, NamedObject, Use, trouble
from campaigns.user_code.loading import load_object
from campaigns.user_code.module_files import open_folder
from tests.snippets import ROOT

BENCH = '''
import os
import functools
import subprocess as sp
from os import system
from subprocess import Popen
from instruments.devices.cycler import *
from instruments.job_instrument import JobInstrument, Quantity
from instruments.lab import Lab
from surrogates.pools.pool import in_unit
from campaigns.values import MetricValue, Measurement
from ophyd import Component, Device

raise SystemExit("nobody may import this")

run = os.system
shell = sp.Popen
partly = functools.partial(os.system)
number = 3


class Duties:
    def has_job(self, token): return False
    def start(self, token): pass
    def progress(self): return ""


class Bench(Duties, JobInstrument):
    settings = ("x",)
    x = Component(Quantity, value=0.0, unit="1", limits=(0, 1))

    def __init__(self, prefix="", *, gain=1, **kwargs): super().__init__(prefix, **kwargs)


class Idle(JobInstrument):
    def has_job(self, token): return False


class Own(Duties, Cycler): pass
class Late(Cycler, Duties): pass
class Plain(Device): pass
class Shell(sp.Popen): pass


class Wired(Duties, JobInstrument):
    def __init__(self, prefix="", *, name, port, **kwargs): super().__init__(prefix, name=name, **kwargs)


def build(): return None
def build_in(port): return None
def nodes(experiment) -> list: return [experiment]
def node_names(experiment): return {'node': experiment}
def analyse(data, context): return None
def analyse_all(data, context, *more, deep=True): return None
first, second = analyse, analyse
def analyse_one(data): return None
def analyse_more(data, context, extra): return None
def analyse_with(data, context, *, extra): return None
@in_unit("eV")
def energy(pool): return [0.0]
def bare(pool): return [0.0]
def assigned(pool): return [0.0]
assigned.unit = "eV"


class Features:
    name, version = "own", "1"
    def __init__(self, highest: int = 2): pass
    def evaluate(self, structures): return None


class Wordless:
    def evaluate(self, structures): return None


class Made:
    """A lab."""

    def __init__(self): self.clock = None
    def instrument(self, name): return None
    def close(self): pass
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bench.py").write_text(BENCH)
    return tmp_path


def said(folder: Path, path: str, use: Use, **settings: Any) -> str:
    return trouble(NamedObject("here", path, use, settings), folder)


@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize(
    "path",
    [
        "subprocess:Popen",
        "subprocess:run",
        "os:system",
        "os.path:join",
        "posix:system",
        "nt:system",
        "builtins:exec",
        "builtins:open",
        "importlib:import_module",
        "ctypes:CDLL",
        "pickle:loads",
        "shutil:rmtree",
        "runpy:run_path",
        "webbrowser:open",
        "code:interact",
        "timeit:timeit",
        "_posixsubprocess:fork_exec",
        "antigravity:fly",
        "test.support:run_in_subinterp",
        "__main__:main",
        "bench:system",
        "bench:Popen",
        "bench:run",
        "bench:shell",
        "bench:number",
        "bench.os:system",
        "bench:nothing",
        "numpy:load",
        pytest.param("numpy:fromfile", marks=pytest.mark.slow),
        "torch:load",
        "torch.hub:load",
        "torch.utils.cpp_extension:load",
        "joblib:load",
        pytest.param("pandas:read_pickle", marks=pytest.mark.slow),
        "yaml:unsafe_load",
        "pip:main",
        "pip._internal.cli.main:main",
        "setuptools:setup",
        "IPython:embed",
        "typer:launch",
        "pytest:main",
        "ophyd:Component",
        pytest.param("ase.io:read", marks=pytest.mark.slow),
        "loop.cli.app:main",
        "loop.cli.app:run",
        "loop.cli.run_command:run_campaign",
        "loop.run:run",
        "loop.cli.signals:signal",
        "simulators.epics_lab:subprocess",
        "simulators.epics_lab:FurnaceServer",
        "surrogates.parallel.processes:serve",
        "surrogates.training.fine_tune_child:main",
        "campaigns.errors:called",
        "campaigns.values:Candidate",
        "six.moves:getcwd",
    ],
)
def test_what_is_no_part_of_a_laboratory_is_refused_and_never_imported(folder: Path, path: str, use: Use) -> None:
    before = set(sys.modules)
    assert said(folder, path, use)
    assert "bench" not in set(sys.modules) - before
    open_folder(folder)
    with pytest.raises(CampaignError, match="here: got"):
        load_object(path, "here", use)
    assert "bench" not in sys.modules


@pytest.mark.parametrize(
    ("path", "use"),
    [
        ("bench:Bench", Use.DEVICE),
        ("bench:Own", Use.DEVICE),
        ("ophyd.sim:pseudo3x3", Use.DEVICE),
        ("ophyd.sim:sig", Use.DEVICE),
        ("instruments.devices.epics_furnace:EpicsFurnace", Use.DEVICE),
        ("bench:build", Use.LAB),
        ("bench:Made", Use.LAB),
        ("bench:analyse", Use.ANALYSIS),
        ("bench:analyse_all", Use.ANALYSIS),
        ("bench:second", Use.ANALYSIS),
        ("bench:partly", Use.ANALYSIS),  # only running it tells
        ("instruments.analyses.galvanostatic:discharge", Use.ANALYSIS),
        ("bench:energy", Use.PREDICTOR),
        ("bench:assigned", Use.PREDICTOR),
        ("surrogates.predictors.formation_energy:chgnet_formation_energy", Use.PREDICTOR),
        ("bench:build", Use.POOL),
        ("bench:Features", Use.FEATURES),
        ("surrogates.features.composition:CompositionFeatures", Use.FEATURES),
        ("bench:analyse", Use.COMPUTATION),
        ("bench:nodes", Use.STRATEGY),
    ],
)
def test_what_a_key_asks_for_is_let_through(folder: Path, path: str, use: Use) -> None:
    assert said(folder, path, use) == ""


@pytest.mark.parametrize(
    ("path", "use", "words"),
    [
        (
            "subprocess:Popen",
            Use.DEVICE,
            "subprocess is a module of Python's standard library; allowed: a module",
        ),
        ("bench:Popen", Use.DEVICE, "it stands for subprocess.Popen, and subprocess is a module of Python's standard"),
        ("bench:run", Use.ANALYSIS, "it stands for os.system, and os is a module of Python's standard library"),
        ("ophyd:Component", Use.DEVICE, "is a typing.Generic, which is no device; needed: a class that derives from"),
        ("ophyd.sim:mtor", Use.DEVICE, "is no device of ophyd.sim, did you mean 'motor'"),
        ("ophyd.sim:flyer1", Use.DEVICE, "is a MockFlyer, which is neither a device nor a signal"),
        ("ophyd.sim:new_trivial_flyer", Use.DEVICE, "is a NewTrivialFlyer, which is neither a device nor a signal"),
        ("ophyd.sim:SynGaus", Use.DEVICE, "is no device of ophyd.sim, did you mean 'SynGauss'"),
        ("instruments.analyses.unexplained:unexplained", Use.ANALYSIS, "which it says is a"),
        ("bench:Shell", Use.DEVICE, "is a subprocess.Popen"),
        ("bench:Idle", Use.DEVICE, "derives from JobInstrument, but has no start and no progress"),
        ("bench:Late", Use.DEVICE, "has no has_job"),  # JobInstrument comes before Duties
        ("bench:build", Use.DEVICE, "is a function, no class"),
        ("bench:build_in", Use.LAB, "needs port, but is called with no arguments"),
        ("bench:build_in", Use.POOL, "needs port, but is called with no arguments"),
        (
            "bench:build",
            Use.STRATEGY,
            "bench:build is a function that takes no arguments, but is called with one argument; needed: a function",
        ),
        ("bench:node_names", Use.STRATEGY, "returns a dict in line"),
        ("bench:nodes", Use.POOL, "needs experiment, but is called with no arguments"),
        ("bench:analyse_one", Use.ANALYSIS, "takes one argument, but is called with 2 arguments"),
        ("bench:analyse_more", Use.ANALYSIS, "needs data, context, extra, but is called with 2 arguments"),
        ("bench:analyse_with", Use.ANALYSIS, "needs data, context, extra"),
        ("bench:Bench", Use.ANALYSIS, "is a class; needed: a function of data and context"),
        ("bench:bare", Use.PREDICTOR, "declares no unit; decorate it with surrogates.pools.pool.in_unit"),
        ("bench:Wordless", Use.FEATURES, "is a class without name, version"),
        ("bench:analise", Use.ANALYSIS, "bench has no analise, did you mean 'analyse'"),
        ("pip:main", Use.LAB, "wanted there: a function without arguments that returns an instruments.lab:Lab"),
        ("instruments.analyses.calcination:phase_fractions", Use.ANALYSIS, "did you mean 'phase_fraction'"),
    ],
)
def test_a_refusal_says_what_it_is_and_what_is_wanted(folder: Path, path: str, use: Use, words: str) -> None:
    assert words in said(folder, path, use)


@pytest.mark.parametrize(
    ("declared", "fits"),
    [
        ("GenerationStrategy", True),
        ("list[GenerationNode]", True),
        ("Sequence[GenerationNode]", True),
        ("list[Sweep]", True),
        ("Own", True),
        ("GenerationStrategy | list[GenerationNode]", True),
        ("'list[GenerationNode]'", True),
        ("list[str]", False),
        ("list", False),
        ("dict[str, GenerationNode]", False),
        ("GenerationStrategy | None", False),
        ("GenerationNode", False),
    ],
)
def test_an_installed_strategy_says_that_it_gives_a_strategy_or_a_list_of_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str, fits: bool
) -> None:
    text = """\
from collections.abc import Sequence
from ax.generation_strategy.external_generation_node import ExternalGenerationNode
from ax.generation_strategy.generation_node import GenerationNode
from ax.generation_strategy.generation_strategy import GenerationStrategy
class Sweep(ExternalGenerationNode): ...
class Own(GenerationStrategy): ...
"""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "their_strategies.py").write_text(f"{text}def strategy(experiment) -> {declared}: ...\n")
    monkeypatch.syspath_prepend(elsewhere)
    found = said(tmp_path, "their_strategies:strategy", Use.STRATEGY)
    if fits:
        assert found == ""
    else:
        assert "their_strategies that says that it returns" in found
        assert found.endswith("returns a GenerationStrategy, or a list of its nodes, as its annotation says")


@pytest.mark.parametrize("use", Use)
def test_what_stands_elsewhere_on_the_search_path_must_say_what_it_gives(
    tmp_path: Path, folder: Path, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "scripts"
    elsewhere.mkdir()
    (elsewhere / "script_of_a_tool.py").write_text("def main(): ...\ndef call(one, two): ...\n")
    monkeypatch.syspath_prepend(str(elsewhere))
    assert said(folder, "script_of_a_tool:main", use)
    assert said(folder, "script_of_a_tool:call", use)
    assert said(folder, "benchmarks.crash:main", use)


@pytest.mark.parametrize(
    ("path", "use", "settings", "words"),
    [
        ("bench:Bench", Use.DEVICE, {"gain": 2, "prefix": "lab:"}, ""),
        (
            "bench:Bench",
            Use.DEVICE,
            {"gian": 2},
            "takes no setting 'gian', did you mean 'gain'; allowed settings: ",
        ),
        ("bench:Wired", Use.DEVICE, {"port": 2}, ""),
        ("bench:Wired", Use.DEVICE, {}, "bench:Wired needs port; add settings: {port: ...}, or make it"),
        ("simulators.virtual_lab:VirtualFurnace", Use.DEVICE, {}, "needs bench"),
        ("bench:Bench", Use.DEVICE, {"clock": 2}, "which the station gives itself; remove it"),
        ("bench:Features", Use.FEATURES, {"highest": 3}, ""),
        ("bench:Features", Use.FEATURES, {"lowest": 3}, "takes no setting 'lowest'; allowed settings: highest"),
        ("bench:build_in", Use.FEATURES, {"port": 3}, ""),
        ("bench:build_in", Use.FEATURES, {}, "needs port"),
    ],
)
def test_settings_have_to_fit(folder: Path, path: str, use: Use, settings: dict[str, Any], words: str) -> None:
    found = said(folder, path, use, **settings)
    assert (words in found) if words else found == ""


def test_what_the_ready_campaigns_name_is_what_their_keys_want(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.user_code.dotted_paths.SHIPPED", {})
    for use, paths in SHIPPED.items():
        assert [said(tmp_path, path, use) for path in paths] == [""] * len(paths)


def test_a_file_with_the_name_of_a_library_does_not_replace_it(tmp_path: Path) -> None:
    for name in ("random", "numpy", "instruments"):
        (tmp_path / f"{name}.py").write_text("def analyse(data, context): return None\n")
    assert "has the name of a module of Python's standard library, which comes first; rename" in said(
        tmp_path, "random:analyse", Use.ANALYSIS
    )
    assert "beside the campaign file, and also" in said(tmp_path, "numpy:analyse", Use.ANALYSIS)
    assert "instruments has no analyse" in said(tmp_path, "instruments:analyse", Use.ANALYSIS)
    open_folder(tmp_path)
    assert sys.path[-1] == str(tmp_path), "modules beside a campaign come last"


def test_a_folder_that_python_searches_anyway_is_that_of_the_campaign_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "their_nodes.py").write_text("def strategy(experiment): return experiment\n")
    open_folder(tmp_path)
    assert load_object("their_nodes:strategy", "planner.strategy", Use.STRATEGY)(3) == 3
    open_folder(tmp_path.parent)
    assert sys.path.count(str(tmp_path)) == 1


def test_modules_of_one_name_beside_two_campaigns_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "our_bench.py").write_text(f"def analyse(data, context): return {name!r}\n")
    for name in ("one", "two", "one"):
        open_folder(tmp_path / name)
        assert load_object("our_bench:analyse", "here", Use.ANALYSIS)(None, None) == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os, functools\nanalyse = functools.partial(os.system)", "comes from posix"),
        ("import os\ndef of(): return os.system\nanalyse = of()", "comes from posix"),
        ("analyse = eval('exec')", "comes from builtins"),
        ("analyse = [lambda data: 1][0]", "cannot be called as it has to be"),
        ("from functools import lru_cache\nanalyse = lru_cache(print)", "comes from builtins"),
    ],
)
def test_what_only_running_tells_is_told_by_run(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "sly.py").write_text(text)
    assert said(tmp_path, "sly:analyse", Use.ANALYSIS) == ""
    open_folder(tmp_path)
    with pytest.raises(CampaignError, match=words):
        load_object("sly:analyse", "here", Use.ANALYSIS)


def test_folders_of_modules_need_no_init_file(tmp_path: Path) -> None:
    (tmp_path / "bare_folders" / "floor").mkdir(parents=True)
    (tmp_path / "bare_folders" / "floor" / "readings.py").write_text("def analyse(data, context): return 'read'\n")
    assert said(tmp_path, "bare_folders.floor.readings:analyse", Use.ANALYSIS) == ""
    assert "has no analyze, did you mean 'analyse'" in said(
        tmp_path, "bare_folders.floor.readings:analyze", Use.ANALYSIS
    )
    open_folder(tmp_path)
    assert load_object("bare_folders.floor.readings:analyse", "here", Use.ANALYSIS)(None, None) == "read"


def test_relative_imports_of_a_package_beside_the_campaign_are_followed(tmp_path: Path) -> None:
    (tmp_path / "ours" / "parts").mkdir(parents=True)
    (tmp_path / "ours" / "__init__.py").write_text("from .ovens import Oven, shell\nfrom .parts import *\n")
    (tmp_path / "ours" / "ovens.py").write_text(
        "from .parts.duties import Duties\nfrom . import parts\nfrom instruments.devices.furnace import Furnace\n"
        "from subprocess import run as shell\nclass Oven(Duties, Furnace): pass\n"
    )
    (tmp_path / "ours" / "parts" / "__init__.py").write_text("from .duties import Duties\n")
    (tmp_path / "ours" / "parts" / "again.py").write_text("from ..ovens import Oven\n")
    (tmp_path / "ours" / "parts" / "duties.py").write_text(
        "class Duties:\n    def has_job(self, t): pass\n    def start(self, t): pass\n    def progress(self): pass\n"
    )
    for path in ("ours:Oven", "ours.ovens:Oven", "ours.parts.again:Oven"):
        assert said(tmp_path, path, Use.DEVICE) == ""
    assert "it stands for subprocess.run" in said(tmp_path, "ours:shell", Use.DEVICE)
    open_folder(tmp_path)
    assert load_object("ours.parts.again:Oven", "here", Use.DEVICE).__name__ == "Oven"


@pytest.mark.parametrize("text", ["def analyse(data, context:\n", "\x00"])
def test_a_module_that_cannot_be_read_is_a_problem_and_no_crash(tmp_path: Path, text: str) -> None:
    (tmp_path / "torn.py").write_text(text)
    assert "torn.py cannot be read" in said(tmp_path, "torn:analyse", Use.ANALYSIS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nowhere", "torn.py imports nowhere in line 1, which is not there; install or"),
        ("from nowhere.at import all", "torn.py imports nowhere.at in line 1"),
        ("from instruments.job_instrument import Quantities", "has no Quantities, did you mean 'Quantity'"),
        ("from instruments.instruments import Quantity", "imports instruments.instruments in line 1"),
        ("import os.path, xml.dom, numpy.linalg\nfrom campaigns import values\nfrom os import system", ""),
        ("try:\n    import nowhere\nexcept ImportError:\n    nowhere = None", ""),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import nowhere", ""),
    ],
)
def test_an_import_that_must_fail_is_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "torn.py").write_text(f"{text}\ndef analyse(data, context): return None\n")
    found = said(tmp_path, "torn:analyse", Use.ANALYSIS)
    assert (words in found) if words else found == ""


def test_a_whole_file_says_it_with_its_line(folder: Path) -> None:
    text = (ROOT / "campaigns" / "calcination.yaml").read_text(encoding="utf-8")
    line = next(i for i, one in enumerate(text.splitlines(), 1) if one.startswith("lab:"))
    lines = text.splitlines()
    lines[line - 1] = "lab: {kind: custom, factory: 'subprocess:Popen'}"
    rest = next(i for i in range(line, len(lines)) if lines[i] and not lines[i].startswith((" ", "#")))
    file = folder / "evil.yaml"
    file.write_text("\n".join([*lines[:line], *lines[rest:]]))
    with pytest.raises(
        CampaignError, match=rf"evil.yaml:{line}: lab.factory: got 'subprocess:Popen', but subprocess is"
    ):
        load_campaign(file)


DUTIFUL = """
class Tool(JobInstrument):
    def has_job(self, token): return False
    def start(self, token): pass
    def progress(self): return ""
"""
HONEST = {
    "mro": """
class Start(JobInstrument):
    def has_job(self, token): return False
    def start(self, token): pass
class Tell(JobInstrument):
    def progress(self): return ""
class Tool(Start, Tell): pass
""",
    "decorated": """
def tells(cls):
    cls.progress = lambda self: ""
    return cls
@tells
class Tool(JobInstrument):
    def has_job(self, token): return False
    def start(self, token): pass
""",
    "assigned": """
class Tool(JobInstrument):
    def has_job(self, token): return False
    def start(self, token): pass
Tool.progress = lambda self: ""
""",
    "me": DUTIFUL + "    def __init__(me, prefix='', **more): super().__init__(prefix, **more)\n",
    "keywords": DUTIFUL + "    def __init__(self, *a, **more):\n        self.gain = more.pop('gain', 1)\n",
    "condition": """
try:
    import a_faster_one
    class Tool: pass
except ImportError:
    class Tool: pass
""",
    "global": "def set_up():\n    global Tool\n    Tool = None\nset_up()\n",
    "globals": "globals().update(Tool=None)\n",
    "captured": "match [JobInstrument]:\n    case [Tool]: pass\n",
}


@pytest.mark.parametrize("text", HONEST.values(), ids=HONEST)
def test_what_only_running_a_module_could_tell_is_not_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "honest.py").write_text("from instruments.job_instrument import JobInstrument\n" + text)
    settings = {"gain": 2} if "gain" in text else {}
    assert said(tmp_path, "honest:Tool", Use.DEVICE, **settings) == ""


@pytest.mark.parametrize(
    "source",
    [
        b"\xef\xbb\xbfdef analyse(data, context): return None\n",
        "# -*- coding: latin-1 -*-\nUNIT = 'µm'\ndef analyse(data, context): return None\n".encode("latin-1"),
        b"def on(station): return lambda f: lambda data, context: f(data)\n@on('a')\ndef analyse(data): return None\n",
    ],
    ids=["byte order mark", "coding line", "decorated"],
)
def test_a_module_is_read_as_python_reads_it(tmp_path: Path, source: bytes) -> None:
    (tmp_path / "honest.py").write_bytes(source)
    assert said(tmp_path, "honest:analyse", Use.ANALYSIS) == ""


@pytest.mark.parametrize("use", [Use.ANALYSIS, Use.COMPUTATION])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("async def give(data, context): return None", "is async: nobody awaits what it gives"),
        ("def give(data, context):\n    yield None", "yields, and so returns a generator"),
        ("def give(data, context):\n    value = 3", "returns nothing"),
        ("def give(data, context):\n    return {'x': 1}", "returns a dict in line 2"),
        ("def give(data, context) -> dict:\n    return made(data)", "says that it returns dict"),
    ],
)
def test_a_function_that_never_gives_what_is_wanted_is_refused(tmp_path: Path, use: Use, body: str, words: str) -> None:
    (tmp_path / "giving.py").write_text(body)
    assert f"is a function that {words}; needed: a function of" in said(tmp_path, "giving:give", use)


def test_a_device_of_ophyd_async_is_let_through_as_one_of_ophyd(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text(
        "from ophyd_async.core import StandardReadable\nclass Late(StandardReadable): pass\nlate = Late(name='late')\n"
    )
    for name in ("Late", "late"):
        assert trouble(NamedObject("here", f"late:{name}", Use.DEVICE), tmp_path) == ""


def test_names_that_a_module_imports_are_suggested_too(tmp_path: Path) -> None:
    (tmp_path / "shelf.py").write_text("def measure(data, context): return None\ndef _hidden(): ...\n")
    for line in ("from shelf import measure", "from shelf import measure as weigh, other", "from shelf import *"):
        (tmp_path / "lab.py").write_text(f"import math\n{line}\n")
        name, meant = ("wiegh", "weigh") if "weigh" in line else ("mesure", "measure")
        assert said(tmp_path, f"lab:{name}", Use.ANALYSIS) == f"lab has no {name}, did you mean {meant!r}"
