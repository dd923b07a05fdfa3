"""What would end badly on the laboratory is told by ``validate``, with its line, before anything is there."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from campaigns.errors import CampaignError
from campaigns.load import load_campaign
from campaigns.values import Scalar
from instruments.built_in import BUILT_IN
from instruments.clock import WallClock
from instruments.devices.cycler import Cycler
from instruments.devices.diffractometer import Diffractometer
from instruments.devices.epics_furnace import EpicsFurnace
from instruments.devices.furnace import Furnace
from loop.cli.run_command import Request, run_campaign
from loop.storage.paths import ready_campaigns
from loop.validation.analysis_facts import BUILT_IN as ANALYSES
from loop.validation.lab_checks import check_lab
from loop.validation.time_limits import late_steps
from tests.snippets import ROOT

MADE = """\
name: made
seed: 1
space:
  parameters:
    temperature: {kind: float, unit: degC, low: 500, high: 900}
    time: {kind: float, unit: h, low: 2, high: 48}
metrics:
  capacity: {kind: measured, unit: mAh/g}
  mean_voltage: {kind: measured, unit: V}
objective:
  terms:
    - {goal: maximise, metric: capacity, scale: 10 mAh/g}
planner: {initial: 3}
lab: {kind: virtual}
stations:
  furnace: {kind: furnace}
  cycler: {kind: cycler}
workflow:
  - name: make
    stations: [furnace]
    recipe: {temperature: $temperature, time: $time, ramp_rate: 5}
    timeout: 80 h
  - name: cycle
    stations: [cycler]
    recipe: {c_rate: 0.1 1/h}
    analysis: instruments.analyses.galvanostatic:discharge
    gives: [capacity, mean_voltage]
    timeout: 30 h
budget: {trials: 5}
"""
BENCH = """\
from ophyd import Component, EpicsSignal, EpicsMotor, Device, Signal
from instruments.job_instrument import JobInstrument, Quantity, text
from campaigns.values import Measurement, MetricValue

raise SystemExit("nobody may import this")
RANGE = (0, 1)


class Duties:
    def has_job(self, token): return False
    def start(self, token): pass
    def progress(self): return ""


class Bench(Duties, JobInstrument):
    settings = ("x", "y", "gas")
    texts = frozenset({"gas"})
    defaults = {"gas": "air"}
    x = Component(Quantity, value=0.0, unit="mm", limits=(0, 1))
    y = Component(Quantity, value=0.0, unit="1", limits=(0, 1))
    gas = text(choices=("air", "argon"))
    out = Component(Quantity, value=0.0, unit="1")

    def start(self, token):
        self.clock.call_later(2 * 3600.0, self._end, self.name)


class Further(Bench):
    settings = ("x", "y")
    x = Component(Quantity, value=0.0, unit="mm", limits=RANGE)


class Without(Bench):
    settings = ("x", "y")
    x = Component(Quantity, value=0.0, unit="mm")


class Plain(Bench):
    settings = ("x", "y")
    x = Component(Signal, value=0.0)


class Both(Duties, JobInstrument):
    settings = ("x", "y")
    x, y = (Component(Quantity, value=0.0, unit=unit, limits=(0, 1)) for unit in ("mm", "1"))


class Absent(Bench):
    settings = ("x", "y", "z")


class Wider(Bench):
    def __init__(self, prefix="", **more):
        super().__init__(prefix, **more)
        self.x._limits = (0, 9)


class Stating(Bench):
    @property
    def limits(self): return None


def make(): return type("Made", (Bench,), {})
Made = make()


class Computed(Bench):
    settings = tuple("xy")


class Real(Bench):
    valve = Component(EpicsSignal, "Valve")


class Stage(Device):
    axis = Component(EpicsMotor, "m1")


class Deep(Bench):
    stage = Component(Stage, "stage:")


class Sleepy(Bench):
    def start(self, token):
        import time
        time.sleep(1)


def good(data, context):
    return Measurement({"output": MetricValue(1.0, 0.1, "1")})


def volts(data, context):
    return Measurement({"output": MetricValue(1.0, 0.1, unit="V")})


def other(data, context):
    if data:
        return Measurement({"outputs": MetricValue(1.0, 0.1, "1")})
    return Measurement({}, ("nothing came",))


def whatever(data, context):
    return Measurement(data["metrics"])
"""
OWN = """\
name: own
seed: 1
space:
  parameters:
    x: {kind: float, unit: mm, low: 0, high: 1}
    y: {kind: float, unit: "1", low: 0, high: 1}
metrics:
  output: {kind: measured, unit: "1"}
objective:
  terms:
    - {goal: maximise, metric: output, scale: 0.1}
planner: {initial: 3}
lab: {kind: virtual}
stations: {bench: {kind: device, device: "bench:Bench"}}
workflow:
  - {name: make, stations: [bench], recipe: {x: $x, y: $y}, analysis: "bench:good", gives: [output], timeout: 20 h}
budget: {trials: 9}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bench.py").write_text(BENCH)
    return tmp_path


def checked(folder: Path, text: str) -> list[str]:
    file = folder / "campaign.yaml"
    file.write_text(text)
    return check_lab(load_campaign(file), file)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(CampaignError) as caught:
        checked(folder, text)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("file", ready_campaigns().values(), ids=ready_campaigns())
def test_the_ready_campaigns_can_be_run_as_they_are(file: Path) -> None:
    assert check_lab(load_campaign(file), file) == []


@pytest.mark.parametrize("text", [MADE, OWN])
def test_what_can_be_run_is_let_through_without_a_word(folder: Path, text: str) -> None:
    assert checked(folder, text) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("high: 900", "high: 1300", 5, "furnace: temperature got 1300 degC; allowed: 100 to 1200 degC"),
        ("low: 500", "low: 50", 5, "temperature got 50 degC; allowed: 100 to 1200 degC; keep to that, or use another"),
        ("unit: h, low: 2, high: 48", "unit: min, low: 2, high: 48", 6, "time got 0.0333333 h"),
        ("high: 900}", "high: 900, highest: 1500}", 5, "temperature got 1500 degC; allowed: 100 to 1200 degC"),
        ("ramp_rate: 5", "ramp_rate: 50", 21, "ramp_rate got 50 degC/min; allowed: 0.5 to 20 degC/min"),
        ("ramp_rate: 5", "ramp_rate: 5 K/s", 21, "ramp_rate got 300"),
        ("ramp_rate: 5", "ramp_rate: 5 mm", 21, "allowed: a quantity like degC/min"),
        ("ramp_rate: 5", "atmosphere: hydrogen", 21, "atmosphere got 'hydrogen'; allowed: air, oxygen, argon"),
        ("ramp_rate: 5", "rate: 5", 21, "furnace has no setting 'rate'; allowed: atmosphere"),
        (", time: $time,", ", lithium_excess: $time,", 21, "says no time, which furnace needs; add time: a value"),
        ("timeout: 80 h", "timeout: 50 h", 22, "furnace takes 54.4 h (temperature 900 degC, time 48 h"),
        ("timeout: 30 h", "timeout: 20 h", 28, "cycler takes 21 h (c_rate 0.1 1/h), and the step may take 20 h"),
        ("timeout: 30 h", "timeout: 30 h\n    duration: 7200 * time", 28, "expected to take 96 h"),
        ("mean_voltage]", "mean_voltages]", 27, "unknown name 'mean_voltages'"),
        ("stations: [cycler]", "stations: [furnace]", 25, "furnace has no setting 'c_rate'"),
        ("galvanostatic:discharge", "diffraction:phase_fraction", 26, "needs the structure of a material"),
        ("galvanostatic:discharge", "calcination:phase_fraction", 26, "but cycler reads no counts"),
        ("galvanostatic:discharge", "calcination:phase_fraction", 27, "does not give 'capacity'; it gives"),
        ("  capacity: {kind: measured, unit: mAh/g}", "  capacity: {kind: measured, unit: mAh/cm^2}", 12, "10 mAh/g"),
        ("mean_voltage: {kind: measured, unit: V}", "mean_voltage: {kind: measured, unit: K}", 27, "mean_voltage in V"),
    ],
)  # fmt: skip
def test_what_would_end_badly_is_refused_with_its_line(folder: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in MADE
    text = refused(folder, MADE.replace(old, new))
    assert any(one.startswith(f"campaign.yaml:{line}: ") and said in one for one in text.splitlines()), text


def test_a_campaign_that_was_begun_goes_on_whatever_its_time_limits_are(folder: Path) -> None:
    file = folder / "campaign.yaml"
    file.write_text(MADE.replace("timeout: 80 h", "timeout: 50 h"))
    (note,) = check_lab(load_campaign(file), file, begun=True)
    assert note.startswith("workflow[0].timeout: furnace takes 54.4 h")


class SlowCycler(Cycler):
    """A cycler that tells how long it takes."""

    def job_duration(self, recipe: Mapping[str, Scalar]) -> float:
        return 36000.0 / float(recipe["c_rate"])


def test_an_instrument_of_one_s_own_may_tell_how_long_it_takes(folder: Path) -> None:
    file = folder / "campaign.yaml"
    file.write_text(MADE)
    clock = WallClock()
    try:
        instruments = {
            "furnace": Furnace(name="furnace", clock=clock),
            "cycler": SlowCycler(name="cycler", clock=clock),
        }
        (problem,) = late_steps(load_campaign(file), instruments)
    finally:
        clock.close()
    assert problem.where == "workflow[1].timeout"
    assert problem.message.startswith("cycler takes 100 h (c_rate 0.1 1/h), and the step may take 30 h; allow 100 h")


def test_a_sample_is_made_before_it_is_measured(folder: Path) -> None:
    make, cycle = MADE.index("  - name: make"), MADE.index("  - name: cycle")
    end = MADE.index("budget:")
    text = MADE[:make] + MADE[cycle:end] + MADE[make:cycle] + MADE[end:]
    assert "campaign.yaml:20: workflow[0].stations: cycle measures a sample that no furnace has made" in refused(
        folder, text
    )


@pytest.mark.slow
def test_only_settings_that_may_come_together_count_for_the_time_limit(folder: Path) -> None:
    text = MADE.replace("timeout: 80 h", "timeout: 50 h")
    held = text.replace("metrics:\n", "  constraints: ['temperature + 20 * time <= 1300']\nmetrics:\n")
    assert checked(folder, held) == []
    said = refused(folder, held.replace("1300", "1850"))
    assert (
        "furnace takes 54.3 h for the longest recipe found (temperature 890 degC, time 48 h, ramp_rate 5 degC/min)"
        in said
    )
    assert "allow 54.4 h, which is enough for every recipe of the space, or narrow" in said
    nearly = held.replace("1300", "1480").replace("50 h", "54 h")
    assert "time 48 h" in refused(folder, nearly.replace("54 h", "52 h"))
    assert checked(folder, nearly.replace("54 h", "53 h")) == []


def test_a_table_of_settings_is_judged_by_its_rows(folder: Path) -> None:
    (folder / "rows.csv").write_text("temperature,time\n900,2\n500,30\n")
    text = MADE.replace("metrics:\n", "  rows: {file: rows.csv}\nmetrics:\n").replace("timeout: 80 h", "timeout: 40 h")
    assert checked(folder, text) == []
    assert "(temperature 500 degC, time 30 h" in refused(folder, text.replace("40 h", "20 h"))


def test_the_lab_on_epics_and_lower_fidelities_are_judged_too(folder: Path) -> None:
    assert "furnace takes" in refused(folder, MADE.replace("kind: virtual", "kind: epics").replace("80 h", "50 h"))
    quick = """\
fidelities:
  quick:
    kind: measured
    workflow:
      - {name: bake, stations: [furnace], recipe: {temperature: $temperature, time: 2 h}, timeout: 1 h, cost: 1 USD}
      - {name: fast, stations: [cycler], recipe: {c_rate: 20}, analysis: "instruments.analyses.galvanostatic:discharge",
         gives: [capacity, mean_voltage], timeout: 30 h, cost: 1 USD}
"""
    costly = MADE.replace("timeout: 80 h", "timeout: 80 h\n    cost: 60 USD") + quick
    assert "fidelities.quick.workflow[1].recipe.c_rate: cycler: c_rate got 20 1/h" in refused(folder, costly)
    assert "fidelities.quick.workflow[0].timeout: furnace takes" in refused(
        folder, costly.replace("c_rate: 20", "c_rate: 2")
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("unit: mm, low: 0, high: 1", "unit: cm, low: 0, high: 1", "bench: x got 10 mm; allowed: 0 to 1 mm"),
        ("unit: mm, low: 0, high: 1", "unit: degC, low: 0, high: 1", "workflow[0].recipe.x: x of bench:"),
        ("x: $x, y: $y", "x: $x, y: $y, z: 3", "bench has no setting 'z'"),
        ("x: $x, y: $y", "x: $x, y: $y, gas: helium", "gas got 'helium'; allowed: air, argon"),
        ("recipe: {x: $x, y: $y}", "recipe: {x: $x, gas: $y}", "says no y, which bench needs"),
        ("bench:Bench", "bench:Plain", "bench:Plain: its setting x is a plain ophyd Signal, which states neither unit"),
        ("bench:Bench", "bench:Absent", "bench:Absent: its setting z is no signal that it has; write z = Component"),
        ("bench:Bench", "bench:Without", "the limits of x cannot be read (got 0.0 to 0.0); set them"),
        ("bench:Bench", "bench:Real", "bench:Real is a real device (valve is a ophyd.EpicsSignal), and the clock"),
        ("bench:Bench", "bench:Deep", "bench:Deep is a real device (stage is a bench.Stage)"),
        ("bench:Bench", "instruments.devices.epics_furnace:EpicsFurnace", "is a real device"),
        ("timeout: 20 h", "timeout: 30 min", "bench:Bench asks the lab's clock for 2 h to do a job, and"),
        ("bench:good", "bench:other", "bench:other does not give 'output', did you mean 'outputs'"),
        ("bench:good", "bench:volts", "gives output in V"),
        ("{kind: virtual}", "{kind: virtual, faults: [{trial: 0, station: bench, kind: nan}]}", "only simulated ones"),
    ],
)  # fmt: skip
def test_an_instrument_of_one_s_own_is_judged_by_its_source(folder: Path, old: str, new: str, said: str) -> None:
    assert old in OWN
    assert said in refused(folder, OWN.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("bench:Bench", "bench:Further", "bench: the limits of x are checked at run"),
        ("bench:Bench", "bench:Both", "bench: the limits of x, y are checked at run"),
        ("bench:Bench", "bench:Made", "bench: its settings and limits are not written in its source"),
        ("bench:Bench", "bench:Wider", "bench: the limits of x are checked at run"),
        ("bench:Bench", "bench:Stating", "bench: the limits of x, y, gas are checked at run"),
        ("bench:Bench", "bench:Computed", "bench: its settings and limits are not written in its source"),
        (
            "bench:Bench",
            "bench:Sleepy",
            "bench: bench:Sleepy uses sleep, and the clock of lab: {kind: virtual} does not",
        ),
        ("initial: 3", "initial: 9", "planner.initial: 9 trials fill the space, and the budget is 9: no model chooses"),
        (
            "trials: 9}",
            "trials: 9}\nstopping: [{kind: stagnation, trials: 9}]",
            "stopping[0]: stagnation can never hold",
        ),
        (
            "{goal: maximise, metric: output, scale: 0.1}",
            "{goal: desirable, metric: output, above: 1, width: 0.1}\nstopping: [{kind: target, score: 2}]",
            "stopping[0]: target can never hold: it wants a score of 2, and the terms give at most 1",
        ),
    ],
)
def test_what_is_left_to_run_or_leads_nowhere_is_noted(folder: Path, old: str, new: str, note: str) -> None:
    assert old in OWN
    text = OWN.replace("- {name: make", "- {cost: 1 USD, name: make").replace(old, new)
    notes = [one for one in checked(folder, text) if note in one]
    assert len(notes) == 1


def test_earlier_measurements_count_as_a_start(folder: Path) -> None:
    (folder / "lab.csv").write_text("x [mm],y,output\n0.5,0.5,1.0\n")
    text = (
        OWN.replace("initial: 3", "initial: 9")
        + "history: [{kind: table, name: lab, file: lab.csv, metrics: [output]}]\n"
    )
    assert checked(folder, text) == []


def test_a_real_device_on_a_clock_of_the_wall_is_no_problem(folder: Path) -> None:
    (folder / "bench.py").write_text(BENCH + "\ndef build(): return None\n")
    text = OWN.replace("bench:Bench", "bench:Real").replace("{kind: virtual}", "{kind: custom, factory: 'bench:build'}")
    assert checked(folder, text) == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_run_refuses_what_validate_refuses_and_imports_nothing(folder: Path, dry_run: bool) -> None:
    file = folder / "campaign.yaml"
    for old, new, said in [
        (
            "bench:Bench",
            "bench:Stage",
            "bench:Stage is a plan or a plain device, which works in wall time, and the clock of lab: {kind: virtual}",
        ),
        ("low: 0, high: 1}", "low: 0, high: 3}", "bench: x got 3 mm; allowed: 0 to 1 mm"),
        ("{kind: virtual}", "{kind: custom, factory: 'subprocess:Popen'}", "is a module of Python's standard library"),
    ]:
        file.write_text(OWN.replace(old, new, 1))
        with pytest.raises(CampaignError) as caught:
            run_campaign(Request(file, dry_run=dry_run))
        assert said in str(caught.value)
    assert "bench" not in sys.modules
    assert not (folder / "campaign.db").exists()


def test_the_facts_are_those_of_the_instruments() -> None:
    clock = WallClock()
    classes = {"furnace": Furnace, "diffractometer": Diffractometer, "cycler": Cycler}
    try:
        for kind, of in classes.items():
            device, facts = of(name=kind, clock=clock), BUILT_IN[kind]
            assert tuple(device.settings) == tuple(facts.settings)
            assert device.limits.ranges == {k: s.limits for k, s in facts.settings.items() if not s.choices}
            assert device.limits.choices == {k: s.choices for k, s in facts.settings.items() if s.choices}
            assert all(device.unit_of(k) == s.unit for k, s in facts.settings.items() if not s.choices)
            assert facts.signals <= set(device.component_names)
    finally:
        clock.close()
    assert EpicsFurnace.settings == Furnace.settings


def test_the_analyses_give_what_is_said_of_them() -> None:
    for path, facts in ANALYSES.items():
        module, _, name = path.partition(":")
        text = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        assert f"def {name}(" in text
        assert bool(facts.gives) != facts.same_name


def test_a_bound_that_several_instruments_refuse_is_told_once(folder: Path) -> None:
    two = MADE.replace("high: 900", "high: 1600").replace("stations: [furnace]", "stations: [furnace, oven]")
    text = refused(folder, two.replace("  cycler: {kind", "  oven: {kind: furnace}\n  cycler: {kind"))
    said = "furnace, oven: temperature got 1600 degC; allowed: 100 to 1200 degC; keep to that"
    assert text.splitlines()[0].startswith(f"campaign.yaml:5: space.parameters.temperature: {said}")
    assert len(text.splitlines()) == 1


FLOW = (ROOT / "campaigns" / "flow.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("high: 120}", "high: 300}", "reactor: temperature got 300 degC; allowed: 20 to 150 degC"),
        ("gives: [throughput, impurity, waste]", "gives: [throughput, waste]", ""),
        ("timeout: 2 h", "timeout: 10 min", "reactor takes"),
        ("recipe:\n", "recipe:\n      pressure: 2 bar\n", "reactor has no setting 'pressure'; allowed: concentration"),
    ],
)
def test_what_a_simulated_experiment_may_be_told_is_known_beforehand(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = FLOW.replace(old, new)
    text = text.replace("  impurity: {kind: measured", "  purity: {kind: measured") if not said else text
    text = text.replace("metric: impurity", "metric: purity").replace("impurity, ", "purity, ") if not said else text
    text = text.replace("gives: [throughput, waste]", "gives: [throughput, purity, waste]")
    assert text != FLOW
    expected = said or "reactor reads no purity, did you mean 'impurity'; it reads impurity, throughput, waste"
    assert expected in refused(tmp_path, text)


def test_an_experiment_of_ones_own_is_not_run_to_be_checked(tmp_path: Path) -> None:
    code = "from simulators.simulated_experiment import SimulatedExperiment\nprint('imported')\n"
    (tmp_path / "mine.py").write_text(code + "def still() -> SimulatedExperiment: raise OSError\n")
    notes = checked(tmp_path, FLOW.replace("simulators.flow_synthesis:reactor", "mine:still"))
    assert notes == ["reactor: its settings and limits are not written in its source; run asks the instrument for them"]


@pytest.mark.parametrize(
    ("station", "wanted"),
    [
        ("{kind: diffractometer, capacity: 4}", "a diffractometer measures one sample after another"),
        ("{kind: furnace, capacity: 4, shared: [lithium_exces]}", "did you mean 'lithium_excess'"),
    ],
)
def test_places_that_a_station_cannot_have_are_told(station: str, wanted: str, tmp_path: Path) -> None:
    assert wanted in refused(tmp_path, MADE.replace("furnace: {kind: furnace}", f"furnace: {station}", 1))


def test_an_instrument_of_ones_own_takes_as_many_samples_as_it_has_places(tmp_path: Path) -> None:
    code = "from instruments.devices.epics_furnace import EpicsFurnace\nclass Two(EpicsFurnace): place_count = 2\n"
    (tmp_path / "mine.py").write_text(code)
    own = '{kind: device, device: "mine:Two", settings: {prefix: a}, capacity: 8}'
    one = MADE.replace("furnace: {kind: furnace}", f"furnace: {own}", 1)
    assert "got 8; allowed: at most 2, as mine:Two has place_count places" in refused(tmp_path, one)
    epics = one.replace("mine:Two", "instruments.devices.epics_furnace:EpicsFurnace")
    assert (
        "EpicsFurnace takes one sample for a job, unless instruments.places:with_places makes more of it; remove"
        in refused(tmp_path, epics)
    )


TRAY = """\
from ophyd import Component
from instruments.job_instrument import JobInstrument, Quantity
from instruments.places import with_places

raise SystemExit("nobody may import this")


class Single(JobInstrument):
    settings = ("temperature", "time", "ramp_rate")
    temperature = Component(Quantity, value=0.0, unit="degC", limits=(0, 1000))
    time = Component(Quantity, value=0.0, unit="h", limits=(0, 100))
    ramp_rate = Component(Quantity, value=0.0, unit="degC/min", limits=(0, 20))
    mass = Component(Quantity, value=0.0, unit="g")

    def __init__(self, prefix="", *, folder="", **more): super().__init__(prefix, **more)
    def has_job(self, token): return False
    def start(self, token): pass
    def progress(self): return ""


Tray = with_places(Single, 3, own=["time", "mass"])


class Named(Tray, Single):
    pass
"""


@pytest.mark.parametrize("name", ["Tray", "Named"])
@pytest.mark.parametrize("more", ["", ", process: true"])
def test_an_instrument_that_was_given_places_is_known_by_its_source(tmp_path: Path, name: str, more: str) -> None:
    (tmp_path / "mine.py").write_text(TRAY)
    own = f'{{kind: device, device: "mine:{name}", settings: {{folder: a}}, capacity: 3{more}}}'
    one = MADE.replace("furnace: {kind: furnace}", f"furnace: {own}", 1).replace("virtual", "real")
    one = one.replace("cycler: {kind: cycler}", 'cycler: {kind: device, device: "mine:Single"}')
    one = one.replace("c_rate: 0.1 1/h", "temperature: 20, time: 1, ramp_rate: 1")
    one = one.replace("gives: [capacity, mean_voltage]", "gives: [mass]").replace("metric: capacity", "metric: mass")
    one = one.replace("capacity: {kind: measured, unit: mAh/g}", "mass: {kind: measured, unit: g}")
    one = one.replace("  mean_voltage: {kind: measured, unit: V}\n", "").replace("10 mAh/g", "1 g")
    one = one.replace("instruments.analyses.galvanostatic:discharge", "instruments.analyses.plain_readings:metrics")
    one = one.replace("gives: [mass]", "analysis_settings: {signals: {mass: mass}}\n    gives: [mass]")
    assert checked(tmp_path, one) == []
    assert f"at most 3, as mine:{name} has place_count places" in refused(
        tmp_path, one.replace("capacity: 3", "capacity: 4")
    )
    shared = refused(tmp_path, one.replace("capacity: 3", "capacity: 3, shared: [time]"))
    assert f"mine:{name} says itself what each place has of its own; remove shared" in shared
    assert "takes no setting 'floder', did you mean 'folder'" in refused(
        tmp_path, one.replace("folder: a", "floder: a")
    )
    (tmp_path / "mine.py").write_text(TRAY.replace("1000", "800"))
    assert "temperature got 900 degC; allowed: 0 to 800" in refused(tmp_path, one)


def test_a_furnace_over_epics_that_was_given_places_is_known_by_its_source(tmp_path: Path) -> None:
    code = "from instruments.devices.epics_furnace import EpicsFurnace, EpicsPlace\nfrom instruments import places\n"
    code += 'Crucibles = places.with_places(EpicsFurnace, 8, ["lithium_excess"], EpicsPlace)\n'
    (tmp_path / "mine.py").write_text(code)
    own = '{kind: device, device: "mine:Crucibles", settings: {prefix: "a:"}, capacity: 8}'
    real = MADE.replace("furnace: {kind: furnace}", f"furnace: {own}", 1).replace("virtual", "epics, speed: 1")
    assert "stations.furnace" not in refused(tmp_path, real), "the cycler alone has no sample here"
    assert "at most 8, as mine:Crucibles" in refused(tmp_path, real.replace("capacity: 8", "capacity: 9"))


def test_a_furnace_takes_a_load(tmp_path: Path) -> None:
    load = MADE.replace("{kind: furnace}", "{kind: furnace, capacity: 8, shared: [lithium_excess]}")
    checked(tmp_path, load)
    checked(tmp_path, load.replace("kind: virtual", "kind: epics"))


NAMED = MADE.replace(
    "analysis: instruments.analyses.galvanostatic:discharge",
    "analysis: instruments.analyses.plain_readings:metrics\n    analysis_settings: {signals: SIGNALS}",
)


@pytest.mark.parametrize(
    ("signals", "said"),
    [
        (
            "{capacity: capacity, mean_voltage: volts}",
            "signals.mean_voltage: cycler reads no volts, did you mean 'voltage'",
        ),
        ("{capacity: capacity}", "takes mean_voltage from no signal; add signals: {mean_voltage: SIGNAL}"),
    ],
)
def test_signals_that_an_analysis_names_are_read_by_the_station(tmp_path: Path, signals: str, said: str) -> None:
    assert said in refused(tmp_path, NAMED.replace("SIGNALS", signals))
    checked(tmp_path, NAMED.replace("SIGNALS", "{capacity: capacity, mean_voltage: voltage}"))


def test_a_load_shares_no_component_of_a_mixture(tmp_path: Path) -> None:
    oxide = (ROOT / "campaigns" / "oxide.yaml").read_text(encoding="utf-8")
    stage = 'experiment: "simulators.high_entropy_oxide:hot_stage"'
    assert stage in oxide
    checked(tmp_path, oxide.replace(stage, f"{stage}, capacity: 4"))
    wanted = "cobalt follows cobalt, a component of the mixture cations, and no load can hold one share"
    assert wanted in refused(tmp_path, oxide.replace(stage, f"{stage}, capacity: 4, shared: [cobalt]"))


@pytest.mark.parametrize("key", ["shared: [temperature]", "wait: 1 h"])
def test_what_loads_share_or_wait_for_is_of_stations_that_take_loads(key: str, tmp_path: Path) -> None:
    text = MADE.replace("furnace: {kind: furnace}", f"furnace: {{kind: furnace, {key}}}", 1)
    assert "is of stations that take several samples; add capacity, or remove it" in refused(tmp_path, text)
