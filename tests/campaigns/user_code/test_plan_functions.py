"""Whether a station can call a plan is told from its source: arguments, their types, and that it yields messages."""

import sys
from pathlib import Path

import pytest

from campaigns.lab.laboratory import StationConfig
from campaigns.user_code.dotted_paths import NamedObject, Use, given_to_plan, trouble

PLANS = """\
from typing import Literal
from bluesky import plan_stubs as bps
from bluesky.utils import MsgGenerator

raise SystemExit("nobody may import this")


def heat(temperature: float, gas: str, stage, token, sample="") -> MsgGenerator[None]:
    yield from bps.mv(stage, temperature)


def anything(**arguments):
    yield from bps.null()


def passes(temperature, gas): return heat(temperature, gas, None, "")
def lacking(temperature, gas, pressure): yield from bps.null()
def missing(temperature): yield from bps.null()
def wrong(temperature: str, gas): yield from bps.null()
def other(temperature, gas: float): yield from bps.null()
def silent(temperature, gas): bps.mv(gas, temperature)


def forgotten(temperature, gas):
    bps.mv(gas, temperature)
    yield from bps.null()


def inner(temperature, gas):
    def steps():
        yield from bps.null()

    steps()


def dropped(temperature, gas):
    def steps():
        yield from bps.null()

    yield from steps()
    steps()


def kept(temperature, gas):
    print(temperature)
    moves = bps.mv(gas, temperature)
    yield from moves
    return (yield from heat(temperature, gas, None, ""))


async def waits(temperature, gas): ...
async def streams(temperature, gas): yield bps.null()
def number(temperature, gas): return 3
def several(temperature, gas): return (2 * 3, f"{gas}")
def listed(temperature: "list[float]", gas) -> MsgGenerator[None]: yield from bps.null()
def truth(temperature: bool, gas): yield from bps.null()
def made_up(temperature: Plan, gas): yield from bps.null()
def literal(temperature: Literal["low"], gas): yield from bps.null()
def counted(temperature, gas, token: int): yield from bps.null()
def staged(temperature, gas, stage: list): yield from bps.null()
def placed(temperature, /, gas): yield from bps.null()
def optional(temperature: float | None, gas: "Optional[Literal['air', 'argon']]", stage: Readable): return [bps.null()]


class Plan: pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "written_plans.py").write_text(PLANS)
    return tmp_path


def said(folder: Path, name: str, path: str = "") -> str:
    station = StationConfig.model_validate(
        {
            "kind": "plan",
            "plan": path or f"written_plans:{name}",
            "devices": {"stage": {"device": "ophyd.sim:motor"}},
            "setpoints": {"temperature": {"unit": "degC", "limits": [0, 100]}, "gas": {"choices": ["air", "argon"]}},
        }
    )
    found = trouble(NamedObject("here", path or f"written_plans:{name}", Use.PLAN, given_to_plan(station)), folder)
    assert "written_plans" not in sys.modules
    return found


@pytest.mark.parametrize("name", ["heat", "anything", "passes", "kept", "optional"])
def test_a_plan_of_the_setpoints_is_let_through(folder: Path, name: str) -> None:
    assert said(folder, name) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "lacking",
            "needs pressure, which nothing gives; add it to setpoints or devices; given: stage, token, sample,",
        ),
        ("missing", "takes no gas; it takes temperature"),
        ("wrong", "takes temperature as str, and the setpoint temperature is a number"),
        ("other", "takes gas as float, and the setpoint gas is a text"),
        ("silent", "neither yields messages nor returns a plan; write 'yield from ...' in it"),
        ("inner", "neither yields messages nor returns a plan; write 'yield from ...' in it"),
        ("forgotten", "calls bps.mv in line 25 and drops what it gives; write 'yield from bps.mv(...)'"),
        ("dropped", "calls steps in line 41 and drops what it gives; write 'yield from steps(...)'"),
        ("Plan", "is a class; needed: a generator function"),
        ("waits", "is async, and Bluesky awaits no plan"),
        ("streams", "is async, and Bluesky awaits no plan"),
        ("number", "returns 3 in line 53, which is no plan"),
        ("several", "returns (2 * 3, f'{gas}') in line 54, which is no plan; write 'yield from ...' in it"),
        ("listed", "takes temperature as list[float], and the setpoint temperature is a number"),
        ("truth", "takes temperature as bool, and the setpoint temperature is a number"),
        ("made_up", "takes temperature as Plan, and the setpoint temperature is a number"),
        ("literal", "takes temperature as Literal['low'], and the setpoint temperature is a number"),
        ("counted", "takes token as int, and token is a text"),
        ("staged", "takes stage as list, and stage is a device"),
        ("placed", "takes temperature by position alone, and is given it by name; remove the '/' after it"),
        ("haet", "written_plans has no haet, did you mean 'heat'"),
    ],
)
def test_what_a_station_cannot_call_is_told(folder: Path, name: str, words: str) -> None:
    assert words in said(folder, name)


def test_a_library_s_function_has_to_say_that_it_is_a_plan(folder: Path) -> None:
    assert "does not say that it returns a MsgGenerator" in said(folder, "", "numpy:load")
    assert "subprocess" in said(folder, "", "subprocess:run")
