"""What each fault may cost at each kind of station: the table that the tests hold, and from which the page is made.

python -m tests.loop.faults.matrix
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from campaigns.values import Cause, TrialState
from tests.snippets import ROOT

PAGE = ROOT / "docs" / "reliability.md"
"""The committed page."""


@dataclass(frozen=True)
class Kind:
    """A kind of station.

    Attributes:
        name: in a cell's name.
        title: of its column.
        about: what stands there.
        device: dotted path of the test's device; empty for a person.
        plan: dotted path of its plan, if it has one.
        attached: whether it is behind a lab process.
        settings: of the device; ``{floor}`` is replaced.
        more: what else the campaign file says of the station.
        setting: what its recipe sets, from ``low`` to ``high`` in ``unit``.
        constants: what else its recipe sets.
        own: a parameter that each sample of a load has for itself, where the setting is shared.
        signal: what is read, ``slope`` times the setting in ``read_in``.
        instrument: its name in the journal.
        served: whether it is behind a server.
        bound: whether its devices know no jobs.
        places: how many samples one job takes.
    """

    name: str
    title: str
    about: str
    device: str
    settings: Mapping[str, str]
    setting: tuple[str, str, float, float]
    signal: tuple[str, str, float]
    instrument: str
    constants: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    served: bool = False
    bound: bool = False
    places: int = 1
    plan: str = ""
    attached: bool = False


_PRESS = Kind(
    name="soft",
    title="driver in the controller",
    about="a `JobInstrument` whose driver runs in the controller; the instrument knows its jobs by their tokens",
    device="tests.loop.faults.devices:Press",
    settings={"floor": "{floor}"},
    setting=("force", "kN", 1.0, 9.0),
    signal=("height", "mm", 2.0),
    instrument="press",
)
_OVEN = Kind(
    name="epics",
    title="EPICS",
    about="a `JobInstrument` over Channel Access, whose server runs jobs and knows the last one by its token",
    device="tests.loop.faults.devices:Oven",
    settings={"prefix": "matrix:oven:"},
    setting=("temperature", "degC", 400.0, 600.0),
    signal=("soak_mean_temperature", "degC", 1.0),
    instrument="matrix:oven:",
    constants={"time": "1 h", "ramp_rate": "20 degC/min"},
    served=True,
)
_PLAN = Kind(
    name="plan",
    title="plan of one's own",
    about="a Bluesky plan of one's own with the same device, which looks itself whether it is where it was sent",
    device="tests.loop.faults.devices:Stage",
    plan="tests.loop.faults.devices:measure",
    settings={"prefix": "matrix:axis:"},
    setting=("x", "mm", 1.0, 9.0),
    signal=("stage_gauge", "mm", 2.0),
    instrument="axis",
    more={"setpoints": {"x": {"unit": "mm", "limits": [0, 10]}}, "units": {"stage_gauge": "mm"}},
    served=True,
    bound=True,
)
KINDS = (
    _PRESS,
    replace(
        _PRESS,
        name="process",
        title="driver in a process",
        about="the same, with `process: true`",
        more={"process": True, "response_timeout": "3 s"},
    ),
    _OVEN,
    Kind(
        name="plain",
        title="plain device",
        about="an ophyd device over Channel Access that knows no jobs, bound by the campaign file",
        device="tests.loop.faults.devices:Stage",
        settings={"prefix": "matrix:axis:"},
        setting=("x", "mm", 1.0, 9.0),
        signal=("gauge", "mm", 2.0),
        instrument="axis",
        more={
            "setpoints": {"x": {"unit": "mm", "limits": [0, 10], "tolerance": 0.01}},
            "units": {"gauge": "mm"},
        },
        served=True,
        bound=True,
    ),
    _PLAN,
    replace(
        _PRESS,
        name="load",
        title="load",
        about="a `JobInstrument` in the controller that takes two samples under one job; the fault meets one of them",
        device="tests.loop.faults.devices:Tray",
        more={"capacity": 2},
        places=2,
    ),
    replace(
        _PRESS,
        name="process_load",
        title="load, driver in a process",
        about="the same, with `process: true`",
        device="tests.loop.faults.devices:Tray",
        more={"capacity": 2, "process": True, "response_timeout": "3 s"},
        places=2,
    ),
    replace(
        _OVEN,
        name="epics_load",
        title="load, EPICS",
        about="the furnace over Channel Access with two crucibles, whose server knows the samples of its load",
        device="tests.loop.faults.devices:Crucibles",
        constants={**_OVEN.constants, "lithium_excess": "$own"},
        own={"kind": "float", "unit": "percent", "low": 1.0, "high": 9.0},
        more={"capacity": 2},
        places=2,
    ),
    replace(
        _PLAN,
        name="plan_load",
        title="load of a plan",
        about="a plan of one's own that takes two samples, and says by an event of each what it measured",
        plan="tests.loop.faults.devices:measure_all",
        more={**_PLAN.more, "capacity": 2},
        places=2,
    ),
    replace(
        _PRESS,
        name="lab",
        title="behind a lab process",
        about="a `JobInstrument` that a lab process owns (`athanor lab run`); the campaign is attached to that",
        attached=True,
    ),
    Kind(
        name="manual",
        title="person",
        about="a station of kind `manual`, where somebody is asked to do a step and to enter what they read",
        device="",
        settings={},
        setting=("x", "mm", 1.0, 9.0),
        signal=("reading", "mm", 2.0),
        instrument="person",
        more={"setpoints": {"x": {"unit": "mm", "limits": [0, 10]}}},
    ),
)


@dataclass(frozen=True)
class Bound:
    """How long a fault may hold up its trial.

    Attributes:
        text: in words.
        seconds: of lab time, beside what a loaded machine takes.
        waits: what the controller may wait for, whatever the machine takes: a pause before the station is tried again
            ("pause"), and a job that is late ("late"), once each fault.
    """

    text: str
    seconds: float
    waits: frozenset[str] = frozenset()


AT_ONCE = Bound("at once", 0.0)
SILENCE = Bound("as long as it lasts", 0.0, frozenset({"pause"}))
PAUSE = Bound("a minute, before the second attempt", 0.0, frozenset({"pause"}))
LIMIT = 600.0
"""Time limit of the step in seconds of lab time, which the tests skip where it decides."""
TIME_LIMIT = Bound("the step's time limit", LIMIT)
TWICE = Bound("twice the step's time limit", 2 * LIMIT, frozenset({"late"}))
ANALYSIS_LIMIT = 300.0
"""Time limit of the analysis in seconds, which the test skips."""
ITS_LIMIT = Bound("`analysis_timeout`", ANALYSIS_LIMIT)

VALUE = "its measurement"
FAILURE = "that it cannot be made"
NOTHING = "nothing"


@dataclass(frozen=True)
class Outcome:
    """What a fault costs.

    Attributes:
        state: of the trial that it meets; the one after it is always completed.
        cause: of the failure.
        reason: part of what the store keeps.
        device: what the instrument has written down last of the job: begin, done or stopped; empty for nothing.
        learnt: what the models learn of it.
        within: how long the trial is held up.
        ends: what the session ends with that meets the fault, if another one has to go on.
        remark: what else is to be said.
    """

    state: TrialState = TrialState.COMPLETED
    cause: Cause | None = None
    reason: str = ""
    device: str = "done"
    learnt: str = VALUE
    within: Bound = AT_ONCE
    ends: str = ""
    remark: str = ""


UNTRIED = "not tested yet"
"""In the place of why it cannot happen: no test says what it costs."""
UNSETTLED = "not settled: completed in three of four runs; in one, the session did not end"
"""The same, where it was tried and comes out differently."""
OPEN = (UNTRIED, UNSETTLED)
Cell = Outcome | str
"""What a fault costs, or why it cannot happen."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong while the job of sample 0 is under way.

    Attributes:
        name: in a cell's name.
        event: in words.
        cells: kind of station to what it costs there.
        driver: what the driver does wrong.
        action: what is done meanwhile; a method of the test's cell.
        killed: whether the controller is killed before the action.
        step: changes of the step, such as its analysis.
        held: whether the job is kept from ending until the action is done.
        of_sample: whether it is a matter of the sample, or of its data, so that it costs one sample of a load.
    """

    name: str
    event: str
    cells: Mapping[str, Cell]
    driver: str = ""
    action: str = ""
    killed: bool = False
    step: Mapping[str, Any] = field(default_factory=dict)
    held: bool = True
    of_sample: bool = False

    def at(self, kind: str) -> Outcome | str:
        """Return what it costs at a kind of station, or why it cannot happen there."""
        return self.cells[kind]


_DONE = Outcome()
_WAITED = Outcome(within=SILENCE)
_LOST = Outcome(TrialState.UNCERTAIN, Cause.LAB, learnt=NOTHING)
_GONE = replace(_LOST, device="begin", within=TWICE, ends="no usable station left")
_ANALYSIS = Outcome(TrialState.QUARANTINED, Cause.ANALYSIS, learnt=NOTHING)
_CRACKED = Outcome(TrialState.FAILED, Cause.SAMPLE, "the pellet is cracked", learnt=FAILURE)
_NAN = Outcome(TrialState.QUARANTINED, Cause.DATA, "not finite", learnt=NOTHING)
_ALL = ("soft", "process", "epics", "plain", "manual")


def _everywhere(outcome: Outcome, **others: Cell) -> dict[str, Cell]:
    """Return the cells of a fault; a plan costs what its devices do, loads and lab processes what their driver does."""
    found: dict[str, Cell] = {**dict.fromkeys(_ALL, outcome), **others}
    loads = {"load": "soft", "process_load": "process", "epics_load": "epics", "plan_load": "plan"}
    found = {"plan": found["plain"], "lab": found["soft"], **found}
    return {**{kind: found[single] for kind, single in loads.items()}, **found}


_NO_SERVER = "has no server"
_NO_DRIVER = "has no driver that could do so"
FAULTS = (
    Fault(
        "controller_killed",
        "The controller is killed (`kill -9`) in the middle of a job, which goes on",
        _everywhere(_DONE, plain=replace(_LOST, reason="nobody can tell how far job")),
        killed=True,
    ),
    Fault(
        "both_killed",
        "The controller and the instrument's server are killed in the middle of a job, and started again",
        _everywhere(
            _LOST,
            soft=_NO_SERVER,
            process="its driver ends with the controller, and has no server",
            epics=replace(_LOST, reason="does not know job", device="begin"),
            plain=replace(_LOST, reason="nobody can tell how far job", device="begin"),
            manual=_NO_SERVER,
            lab=UNSETTLED,
        ),
        killed=True,
        action="restart",
    ),
    Fault(
        "silent",
        "The instrument does not answer for a while, and does again",
        _everywhere(
            _WAITED,
            soft="its driver is called in the controller, and has no link of its own",
            plan=replace(
                _WAITED, remark="a reading of the plan itself that is not answered is not repeated, see below"
            ),
            lab=_WAITED,
            manual="has the step's time limit to answer",
        ),
        action="fall_silent",
    ),
    Fault(
        "mute",
        "The instrument does not answer until the step's time limit is over, and does again",
        _everywhere(
            replace(_DONE, within=TWICE),
            soft="its driver is called in the controller, and has no link of its own",
            plain=replace(_LOST, reason="did not end within", device="stopped", within=TIME_LIMIT),
            lab=UNTRIED,
            manual="is an answer that comes late, see below",
        ),
        action="stay_silent",
    ),
    Fault(
        "gone",
        "The instrument's server is gone for good",
        _everywhere(
            _LOST,
            soft=_NO_SERVER,
            process=_NO_SERVER,
            epics=replace(_GONE, reason="does not answer|Failed to connect"),
            plain=replace(_GONE, reason="did not end within"),
            lab="is waited for until it is started again, see below, or somebody says that it has ended",
            manual=_NO_SERVER,
        ),
        action="disappear",
    ),
    Fault(
        "restarted",
        "The instrument's server, or the driver's process, is killed in the middle of a job, and started again",
        _everywhere(
            _DONE,
            soft=_NO_SERVER,
            epics=replace(_LOST, reason="find out what it did|does not know job", device="begin"),
            plain=replace(_LOST, state=TrialState.FAILED, reason="is at 0.0", device="begin"),
            lab=_DONE,
            manual=_NO_SERVER,
        ),
        action="restart",
    ),
    Fault(
        "callback",
        "The driver raises an error where its device or its timer calls it",
        _everywhere(
            replace(
                _LOST,
                reason="raised KeyError: 'no such register'",
                device="begin",
                within=TWICE,
                ends="no usable station left",
            ),
            epics=replace(_DONE, within=TWICE),
            plain=replace(_LOST, reason="did not end within", device="stopped", within=TIME_LIMIT),
            manual=_NO_DRIVER,
            lab=UNTRIED,
        ),
        driver="callback",
        action="break_down",
    ),
    Fault(
        "busy",
        "The instrument is at somebody else's job",
        _everywhere(_WAITED, manual="is asked for one thing after the other"),
        action="lend",
        held=False,
    ),
    Fault(
        "unread",
        "Reading fails once after the job is done",
        _everywhere(_DONE, plan=replace(_LOST, reason="the line is dead"), manual=_NO_DRIVER),
        driver="read",
        held=False,
    ),
    Fault(
        "late",
        "The job takes longer than the step's time limit, and ends then",
        _everywhere(
            replace(_DONE, within=TWICE),
            plain=replace(_LOST, reason="did not end within", device="stopped", within=TIME_LIMIT),
            lab=UNTRIED,
        ),
        action="let_be_late",
    ),
    Fault(
        "analysis_hangs",
        "The analysis never ends",
        _everywhere(
            replace(_ANALYSIS, reason="it took longer than", within=ITS_LIMIT),
        ),
        step={"analysis": "tests.loop.faults.analyses:hanging", "analysis_timeout": f"{ANALYSIS_LIMIT} s"},
        action="lose_patience",
        of_sample=True,
        held=False,
    ),
    Fault(
        "analysis_exits",
        "The analysis calls `sys.exit`",
        _everywhere(replace(_ANALYSIS, reason="SystemExit: no licence")),
        step={"analysis": "tests.loop.faults.analyses:exiting"},
        of_sample=True,
        held=False,
    ),
    Fault(
        "driver_exits",
        "The driver calls `sys.exit` when it is told to start",
        _everywhere(
            replace(_LOST, state=TrialState.FAILED, reason="SystemExit: no licence", device="", within=PAUSE),
            plain=replace(_LOST, state=TrialState.FAILED, reason="SystemExit: no licence", device=""),
            epics=replace(_LOST, reason="SystemExit: no licence", device=""),
            manual=_NO_DRIVER,
        ),
        driver="exit",
        held=False,
    ),
    Fault(
        "clock_jumps",
        "The system's clock jumps by three days",
        _everywhere(
            _DONE,
            plain=replace(
                _DONE,
                remark="a run that is started after that quarantines what is read, until the server's clock agrees",
            ),
        ),
        action="jump",
    ),
    Fault(
        "ctrl_c",
        "Ctrl-C",
        _everywhere(_DONE),
        action="interrupt",
    ),
    Fault(
        "ctrl_c_twice",
        "Ctrl-C twice",
        _everywhere(_DONE, plain=replace(_LOST, reason="nobody can tell how far job", device="stopped")),
        action="abort_all",
    ),
    Fault(
        "cracked",
        "The instrument, or the person, says that the sample cannot be made",
        _everywhere(
            _CRACKED,
            epics="this furnace says nothing of samples",
            plain=replace(_CRACKED, device=""),
            manual=replace(_CRACKED, reason="it is cracked"),
        ),
        driver="cracked",
        of_sample=True,
        held=False,
    ),
    Fault(
        "nan",
        "The instrument reads no number",
        _everywhere(_NAN, manual="is told at once, and asked again"),
        driver="nan",
        of_sample=True,
        held=False,
    ),
)

EXTENDED: Mapping[str, frozenset[str]] = {
    "process": frozenset({"analysis_hangs", "analysis_exits", "clock_jumps", "ctrl_c", "nan"}),
    "epics": frozenset({"analysis_hangs", "analysis_exits"}),
    "plan": frozenset(
        {
            *("analysis_hangs", "analysis_exits", "clock_jumps", "ctrl_c", "busy", "driver_exits", "cracked", "nan"),
            *("both_killed", "gone", "restarted"),
        }
    ),
    "load": frozenset({"analysis_hangs", "unread", "busy", "clock_jumps", "ctrl_c"}),
    "process_load": frozenset(
        {
            *("silent", "mute", "callback", "busy", "unread", "late", "analysis_hangs", "analysis_exits"),
            *("driver_exits", "clock_jumps", "ctrl_c", "ctrl_c_twice", "nan"),
        }
    ),
    "epics_load": frozenset(
        {
            *("silent", "mute", "gone", "callback", "busy", "unread", "late", "analysis_hangs", "analysis_exits"),
            *("driver_exits", "clock_jumps", "ctrl_c", "ctrl_c_twice", "nan"),
        }
    ),
    "plan_load": frozenset(
        {
            *("both_killed", "silent", "mute", "gone", "callback", "busy", "unread", "late", "analysis_hangs"),
            *("analysis_exits", "driver_exits", "clock_jumps", "ctrl_c", "ctrl_c_twice"),
        }
    ),
    "lab": frozenset({"analysis_hangs", "analysis_exits", "unread", "clock_jumps", "ctrl_c", "cracked", "nan"}),
}
"""Kind of station to the faults that are tried only with ``ATHANOR_FAULTS=all``: they cost the same at another kind."""


_INTRODUCTION = """\
# What a fault may cost

What becomes of a trial when something goes wrong under it, at each kind of station. This page is made from the
definitions that the tests hold (`python -m tests.loop.faults.matrix`): a cell is a campaign of two trials on the clock
on the wall, against real servers and processes, which are killed, stopped and started again. The fault meets the first
trial. The one after it is always completed, an instrument never begins a job twice, and what the models learn is what
was really made. What people do about an uncertain trial: [operators](operators.md). Some cells that cost the same
elsewhere are run only by `ATHANOR_FAULTS=all pytest tests/loop/faults`.
"""
_WORDS = """\
- *uncertain*: nobody knows what the sample has seen; it is not repeated, and waits for a person's decision.
- *failed*: with its cause. Only *sample* speaks against the candidate; after a fault of the *lab* it may come again.
- *quarantined*: measured, kept and shown, and not learnt from until somebody releases it.
- *Held up* is the most that the trial waits, beside its job. *The next run goes on*: the session in which it happens
  ends with an error that names the station, as that does not answer any more; what waits is kept.
"""
_SAID = {
    "done": "has done the job",
    "begin": "was cut off in the job",
    "stopped": "has stopped in the job",
    "": "has not begun the job",
}


def reliability_page() -> str:
    """Return the page in Markdown."""
    about = "\n".join(f"- **{kind.title}**: {kind.about}." for kind in KINDS)
    return "\n".join([_INTRODUCTION, about, "", _overview(), "", _WORDS, *map(_section, KINDS)])


def _overview() -> str:
    head = ["what happens", *(kind.title for kind in KINDS)]
    rows = [[fault.event, *(_short(fault.at(kind.name)) for kind in KINDS)] for fault in FAULTS]
    return _table(head, rows)


def _short(cell: Outcome | str) -> str:
    if isinstance(cell, str):
        return "?" if cell in OPEN else "–"
    return _verdict(cell)


def _verdict(outcome: Outcome) -> str:
    return f"{outcome.state.value} ({outcome.cause.value})" if outcome.cause else outcome.state.value


def _section(kind: Kind) -> str:
    head = ["what happens", "trial", "reason that is stored", "instrument", "the models learn", "held up"]
    rows = [[fault.event, *_details(fault, kind)] for fault in FAULTS]
    return f"## {kind.title[0].upper()}{kind.title[1:]}\n\n{_table(head, rows)}\n"


def _details(fault: Fault, kind: Kind) -> list[str]:
    cell = fault.at(kind.name)
    if isinstance(cell, str):
        return [cell if cell in OPEN else f"does not happen: {cell}", "", "", "", ""]
    reason = f"... {cell.reason.partition('|')[0]} ..." if cell.reason else ""
    said = [_verdict(cell), *(["the next run goes on"] if cell.ends else []), *([cell.remark] if cell.remark else [])]
    if kind.places > 1 and cell.cause:
        said.append(f"the other sample of its load {'is completed' if fault.of_sample else 'as well'}")
    return ["; ".join(said), reason, _SAID[cell.device], cell.learnt, cell.within.text]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write the committed page."""
    PAGE.write_text(reliability_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
