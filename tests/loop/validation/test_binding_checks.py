"""What plain ophyd devices leave open is told by ``validate``, with its line; nothing is imported."""

import sys
from pathlib import Path

import pytest

from campaigns.errors import CampaignError
from campaigns.load import load_campaign
from loop.validation.lab_checks import check_lab

STAGE = """\
from ophyd import Component, Device, EpicsMotor, Signal

raise SystemExit("nobody may import this")


class Plain(Device):
    x = Component(Signal, value=0)
    y = Component(Signal, value=0)


class Slow(Plain):
    def set(self, value): ...


class Shown(Slow):
    x = Component(Signal, value=0, kind="hinted")


plain = Plain(name="plain")
motor = EpicsMotor("IOC:m1", name="motor")
"""
CAMPAIGN = """\
name: plain
seed: 1
space:
  parameters:
    x: {kind: float, unit: mm, low: 0, high: 1}
metrics:
  output: {kind: measured, unit: "1"}
objective:
  terms:
    - {goal: maximise, metric: output, scale: 0.1}
planner: {initial: 3}
lab: {kind: real}
stations:
  bench: {kind: device, device: "stage:Plain", setpoints: {x: {unit: mm, limits: [0, 1]}}}
workflow:
  - name: make
    stations: [bench]
    recipe: {x: $x}
    analysis: instruments.analyses.plain_readings:metrics
    analysis_settings: {signals: {output: y}}
    gives: [output]
    timeout: 20 min
budget: {trials: 9}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stage.py").write_text(STAGE)
    return tmp_path


def checked(folder: Path, *changes: tuple[str, str]) -> list[str]:
    text = CAMPAIGN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = folder / "campaign.yaml"
    file.write_text(text)
    found = check_lab(load_campaign(file), file)
    assert "stage" not in sys.modules
    return found


MOVED = ("{x: {unit", "{z: {unit"), ("recipe: {x: $x}", "recipe: {z: $x}")


@pytest.mark.parametrize(
    ("device", "key", "said"),
    [
        ("ophyd.sim:det", "", "there is no z, and SynGauss cannot be set as a whole; add signal: one of val, Imax,"),
        ("ophyd.sim:det", "signal: foo, ", "there is no foo; add signal: one of val, Imax, center,"),
        ("ophyd.sim:det", "signal: Imax, ", ""),
        ("ophyd.sim:pseudo1x3", "", "SPseudo1x3 cannot be set as a whole; add signal: one of pseudo1, real1,"),
        ("ophyd.sim:pseudo1x3", "signal: pseudo1, ", ""),
        ("ophyd.sim:bool_sig", "", ""),
        ("stage:Slow", "", "what is read of Slow are x, y; add readback: the one that shows where it is"),
        ("stage:Slow", "readback: z, ", "setpoints.z.readback: Slow has no z; allowed: x, y"),
        ("stage:Slow", "readback: y, ", ""),
        ("stage:Shown", "", ""),
    ],
)
def test_a_device_is_moved_as_a_whole_if_its_class_can_be_set(folder: Path, device: str, key: str, said: str) -> None:
    (old, _), recipe = MOVED
    changes = ("stage:Plain", device), (old, f"{{z: {{{key}unit"), recipe
    if not said:
        checked(folder, *changes, ("{output: y}", "{output: anything}"))
        return
    with pytest.raises(CampaignError) as caught:
        checked(folder, *changes)
    assert said in str(caught.value)


def test_of_several_devices_one_is_named_that_can_be_set(folder: Path) -> None:
    two = 'devices: {a: {device: "ophyd.sim:motor"}, z: {device: "ophyd.sim:det"}}'
    with pytest.raises(CampaignError, match=r"setpoints.x: there is no x, and SynAxis and SynGauss cannot be set as a"):
        checked(folder, ('device: "stage:Plain"', two))
    with pytest.raises(CampaignError, match=r"setpoints.z: SynGauss cannot be set as a whole; add signal: one of val,"):
        checked(folder, ('device: "stage:Plain"', two), *MOVED)


PLAN = ('device: "stage:Plain"', 'plan: "plans:scan", capacity: 3'), ("kind: device", "kind: plan")


@pytest.mark.parametrize(
    ("plan", "shared", "said"),
    [
        ("samples: Sequence[LoadSample]", "", ""),
        ("samples", "", ""),
        ("x: float, samples: list[LoadSample]", ", shared: [x]", ""),
        (
            "x: float",
            "",
            "needs x, which nothing gives; add it to setpoints or devices, or to shared if it is one of set",
        ),
        (
            "x: float",
            ", shared: [x]",
            "takes no samples, which are several with this capacity; add the argument samples",
        ),
        ("samples, sample", "", "needs sample, which nothing gives; with this capacity there are several; add the arg"),
        (
            "samples: float",
            "",
            "takes samples as float, and samples are a Sequence[instruments.load_samples.LoadSample]",
        ),
        (
            "samples: list[float]",
            "",
            "takes samples as list[float], and samples are a Sequence[instruments.load_samples.Lo",
        ),
        ("samples", ", shared: [x]", "takes no x; it takes samples"),
        ("samples", ", shared: [z]", "bench has no setting 'z'; allowed: x"),
    ],
)
def test_a_plan_for_several_samples_takes_them(folder: Path, plan: str, shared: str, said: str) -> None:
    (folder / "plans.py").write_text(f"def scan({plan}): yield\n")
    changes = (*PLAN, ("capacity: 3", f"capacity: 3{shared}"), ("{output: y}", "{output: anything}"))
    if not said:
        checked(folder, *changes)
        return
    with pytest.raises(CampaignError) as caught:
        checked(folder, *changes)
    assert said in str(caught.value)


def test_one_sample_is_no_load(folder: Path) -> None:
    (folder / "plans.py").write_text("def scan(x, samples): yield\n")
    with pytest.raises(CampaignError, match=r"samples, which nothing gives; add a capacity above 1 to its station"):
        checked(folder, *PLAN, (", capacity: 3", ""), ("{output: y}", "{output: anything}"))
    with pytest.raises(CampaignError, match=r"plain devices know no places, .* a plan of yours may take several"):
        checked(folder, ('device: "stage:Plain"', 'device: "stage:Plain", capacity: 3'))


def test_an_argument_that_is_whole_is_given_no_other_number(folder: Path) -> None:
    (folder / "plans.py").write_text("def scan(x: int): yield\n")
    plan = ('kind: device, device: "stage:Plain"', 'kind: plan, plan: "plans:scan"')
    output = ("{output: y}", "{output: anything}")
    with pytest.raises(
        CampaignError, match=r"recipe.x: plans:scan takes x as int, and \$x is any number; declare x as"
    ):
        checked(folder, plan, output)
    checked(folder, plan, output, ("{kind: float, unit: mm, low: 0", "{kind: integer, unit: mm, low: 0"))
    (folder / "plans.py").write_text("def scan(x, n: int): yield\n")
    more = "limits: [0, 1]}", 'limits: [0, 1]}, n: {unit: "1", limits: [0, 9]}'
    with pytest.raises(CampaignError, match=r"recipe.n: plans:scan takes n as int; got 0.5; allowed: 1, 2"):
        checked(folder, plan, output, more, ("recipe: {x: $x}", "recipe: {x: $x, n: 0.5}"))


def no_stop(device: str) -> str:
    """Return what is noted of a device that nothing can stop."""
    advice = "an abort leaves it as it was set; add safe to its station in a lab file, or a method stop"
    return f"stations.bench.device: {device} has no stop of its own: {advice}"


@pytest.mark.parametrize("device", ["stage:Plain", "stage:plain"])
def test_a_device_whose_setpoints_say_all_is_bound(folder: Path, device: str) -> None:
    assert checked(folder, ("stage:Plain", device)) == [no_stop(device)]


def test_what_only_the_device_can_tell_is_left_to_the_run(folder: Path) -> None:
    motor = '"ophyd:EpicsMotor", settings: {prefix: "IOC:m1"}'
    found = checked(folder, ('"stage:Plain"', motor), ("{unit: mm, limits: [0, 1]}", "{}"))
    assert found == ["bench: the limits of x are checked at run, when the instrument states them"]


SETPOINTS = "setpoints: {x: {unit: mm, limits: [0, 1]}}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (SETPOINTS, "setpoints: {x: {}}", "stations.bench.setpoints.x: a plain ophyd Signal states neither unit nor"),
        ("unit: mm, limits", "limits", "setpoints.x: a plain ophyd Signal states neither unit nor limits; add unit"),
        (
            ", " + SETPOINTS,
            "",
            "workflow[0].recipe.x: bench has no setpoint 'x'; it has none; add it to stations.bench",
        ),
        ("{x: {unit", "{z: {unit", "stations.bench.setpoints.z: there is no z; add signal: one of x, y"),
        ("recipe: {x: $x}", "recipe: {z: $x}", "bench has no setpoint 'z'; allowed: x; add it to stations.bench"),
        ("limits: [0, 1]}", "limits: [0, 1]}, y: {unit: mm, limits: [0, 1]}", "says no y, which bench needs"),
        ("limits: [0, 1]", "limits: [0, 0.5]", "bench: x got 1 mm; allowed: 0 to 0.5 mm"),
        ("low: 0, high: 1", "low: 0, high: 1000", "bench: x got 1000 mm; allowed: 0 to 1 mm"),
        ("unit: mm, limits", "unit: degC, limits", "x of bench"),
        (
            "{kind: real}",
            "{kind: virtual}",
            "stage:Plain is a plan or a plain device, which works in wall time, and the clock of",
        ),
        ('"stage:Plain"', '"ophyd.sim:motor"', ""),
        (
            '"stage:Plain", ' + SETPOINTS,
            '"ophyd.sim:motor", setpoints: {x: {unit: mm}}',
            "SynAxis states no limits; add",
        ),
        ('device: "stage:Plain"', 'devices: {a: {device: "stage:Plain"}, b: {device: "stage:plain"}}', ""),
    ],
)
def test_what_cannot_be_bound_is_told_with_its_reason(folder: Path, old: str, new: str, said: str) -> None:
    if not said:
        checked(folder, (old, new))
        return
    with pytest.raises(CampaignError) as caught:
        checked(folder, (old, new))
    assert said in str(caught.value)


def test_a_device_belongs_to_one_station(folder: Path) -> None:
    other = '  other: {kind: device, device: "stage:plain"}\nworkflow:'
    with pytest.raises(CampaignError, match=r"stations.other.device: stage:plain is at stations.bench.device already"):
        checked(folder, ("stage:Plain", "stage:plain"), ("workflow:", other))


def test_one_motor_record_at_two_names_is_one_device(folder: Path) -> None:
    two = (
        'devices: {x: {device: "ophyd:EpicsMotor", settings: {prefix: m1}}, y: {device: "ophyd:EpicsMotor", settings: '
    )
    change = ('device: "stage:Plain"', two + "{prefix: m1}}}")
    with pytest.raises(
        CampaignError, match=r"devices.y.device: ophyd:EpicsMotor is at stations.bench.devices.x.device"
    ):
        checked(folder, change)
    assert checked(folder, (change[0], two + "{prefix: m2}}}")) == []


def test_two_simulated_axes_with_the_same_settings_are_two_devices(folder: Path) -> None:
    axis = '{device: "ophyd.sim:SynAxis", settings: {delay: 4}}'
    assert checked(folder, ('device: "stage:Plain"', f"devices: {{x: {axis}, y: {axis}}}")) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('device: "stage:Plain"', 'device: "stage:Plain", devices: {a: {device: "stage:plain"}}', "device and devices"),
        ('kind: device, device: "stage:Plain"', "kind: device", "kind: device and device: package.module:Class"),
        (
            "kind: device,",
            "kind: furnace,",
            "got furnace, which is simulated, but lab is real; allowed there: device, plan and manual",
        ),
        (
            '"stage:Plain", setpoints: {x: {',
            '"stage:Plain", setpoints: {x: {signal: y.z, ',
            "there is no z",
        ),
        (
            'device: "stage:Plain", setpoints: {x: {',
            'devices: {a: {device: "stage:Plain"}}, setpoints: {x: {signal: b.x, ',
            "unknown name 'b'; allowed: a",
        ),
        ("kind: real", "kind: real, control_layer: tango", "control_layer"),
    ],
)
def test_what_does_not_belong_together_is_told(folder: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(CampaignError) as caught:
        checked(folder, (old, new))
    assert said in str(caught.value)


def test_a_process_of_its_own_is_for_devices_of_ones_own_on_the_clock_on_the_wall(folder: Path) -> None:
    process = ("kind: device, device", "kind: device, process: true, response_timeout: 5 s, device")
    assert checked(folder, process) == [no_stop("stage:Plain")]
    virtual = ("{kind: real}", "{kind: virtual}")
    with pytest.raises(
        CampaignError, match=r"works in wall time, and the clock of lab: \{kind: virtual\} skips waiting"
    ):
        checked(folder, process, virtual)
    with pytest.raises(CampaignError, match="response_timeout: it is of a driver's process; add process: true"):
        checked(folder, ("kind: device, device", "kind: device, response_timeout: 5 s, device"))
    furnace = ('{kind: device, device: "stage:Plain", setpoints: {x: {unit: mm, limits: [0, 1]}}}',)
    with pytest.raises(CampaignError, match="process: furnace is no device of your own"):
        checked(folder, virtual, (*furnace, "{kind: furnace, process: true}"))


def test_an_instrument_behind_a_network_works_on_the_clock_on_the_wall_alone(folder: Path) -> None:
    (folder / "press.py").write_text(
        "from ophyd import Component\n"
        "from instruments.devices.http_instrument import HttpInstrument\n"
        "from instruments.job_instrument import Quantity\n\n\n"
        "class Press(HttpInstrument):\n"
        "    settings = ('x',)\n"
        "    x = Component(Quantity, value=0.0, unit='mm', limits=(0, 50))\n"
        "    y = Component(Quantity, value=0.0, unit='mm')\n"
    )
    press = (
        'device: "stage:Plain", setpoints: {x: {unit: mm, limits: [0, 1]}}',
        'device: "press:Press", settings: {url: a}',
    )
    assert checked(folder, press) == []
    with pytest.raises(CampaignError, match=r"press:Press is a real device \(it derives from PolledInstrument\)"):
        checked(folder, press, ("{kind: real}", "{kind: virtual}"))


def test_a_setting_of_another_stations_step_is_not_said_to_be_told_at_run(folder: Path) -> None:
    weigh = (
        "workflow:\n",
        "workflow:\n  - {name: weigh, stations: [kim], recipe: {dose: 10 mg}, instructions: weigh, timeout: 1 h}\n",
    )
    kim = ("stations:\n", "stations:\n  kim: {kind: manual, setpoints: {dose: {unit: mg, limits: [1, 100]}}}\n")
    assert not [note for note in checked(folder, kim, weigh) if "dose" in note]
