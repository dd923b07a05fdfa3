"""Every fault at every kind of station, on the clock on the wall: what it costs is what the table says."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import yaml

from campaigns.campaign import Campaign
from campaigns.errors import LabError, StoreError
from campaigns.load import load_campaign
from campaigns.values import TrialState
from instruments import real_lab
from instruments.clock import WallClock
from instruments.devices import epics_furnace
from loop.core.events import Event, Proposed, StationsReady, StepStarted, TrialEnded, Warned
from loop.core.records import TrialRecord
from loop.execution.jobs import analysis_process, dispatcher
from loop.execution.options import RunOptions, SessionResult
from loop.execution.session import CampaignResources
from loop.execution.shared_lab import attached_lab, campaign_link
from loop.execution.shared_lab.socket_file import is_served
from loop.planning.failures import failures
from loop.service.manual_answers import confirm, fail
from loop.storage.reader import Reader
from simulators.epics_lab import EpicsServer, unused_port
from tests.forks import Program, athanor
from tests.loop.conftest import ROOT, only_step
from tests.loop.faults.devices import Oven
from tests.loop.faults.floor import WAITED, Floor, until
from tests.loop.faults.matrix import (
    ANALYSIS_LIMIT,
    EXTENDED,
    FAILURE,
    FAULTS,
    KINDS,
    LIMIT,
    NOTHING,
    VALUE,
    Fault,
    Kind,
    Outcome,
)

SILENT = 0.5
"""Wall time in seconds for which nothing answers: longer than all time-outs that the test shortens."""
SLACK = 30.0
"""Seconds that a loaded machine may take beside."""
LAB_FILE = "lab.yaml"
CELLS = [
    (fault, kind)
    for fault in FAULTS
    for kind in KINDS
    if isinstance(fault.cells[kind.name], Outcome)
    and (os.environ.get("ATHANOR_FAULTS") == "all" or fault.name not in EXTENDED.get(kind.name, ()))
]


class Person:
    """Somebody who does the steps of a campaign, and enters what they read."""

    def __init__(self, cell: Cell) -> None:
        self._cell, self._floor = cell, cell.floor

    def answer(self) -> None:
        """Answer until both trials have ended."""
        asked: set[str] = set()
        until(lambda: self._cell.error is not None or self._has_answered(asked))

    def _has_answered(self, asked: set[str]) -> bool:
        trials: list[TrialRecord] = []
        if (self._cell.folder / "test.db").exists():
            with suppress(StoreError):  # it is just being made
                trials = Reader(self._cell.url).trials()
        for trial in trials:
            token = trial.steps[-1].token if trial.steps else ""
            if trial.state not in (TrialState.DISPATCHED, TrialState.UNCERTAIN):
                continue
            if token not in asked:
                asked.add(token)
                self._floor.note("person", "begin", token)
            if not self._floor.held and f"person done {token}" not in self._floor.journal.read_text():
                self._enter(trial)
                self._floor.note("person", "done", token)
        time.sleep(0.05)
        return len(trials) == self._cell.trials and all(trial.state.ended for trial in trials)

    def _enter(self, trial: TrialRecord) -> None:
        number, url = str(trial.number), self._cell.url
        if trial.number == 0 and self._cell.fault.driver == "cracked":
            list(fail([number], url, "it is cracked", spoilt=True))
        else:
            reading = 2.0 * float(trial.candidate.parameters["it"])
            list(confirm([number, f"reading={reading} mm"], url, "done"))


class SkippingClock(WallClock):
    """The clock of a real laboratory, which can skip time that nobody has to wait for."""

    made: ClassVar[list[SkippingClock]] = []

    def __init__(self, speed: float = 1.0, start: float = 0.0) -> None:
        super().__init__(speed, start)
        self.made.append(self)

    @property
    def closed(self) -> bool:
        """Whether nobody goes by it any more."""
        return self._closed

    def skip(self, seconds: float) -> None:
        """Let time pass."""
        with self._changed:
            self._origin -= seconds
            self._changed.notify()

    def skip_until(self, holds: Callable[[], bool], within: float, which: Callable[[list[float]], float]) -> None:
        """Skip from one timer to another, see ``skip_to_timer``, until a condition holds."""

        def held() -> bool:
            self.skip_to_timer(within, which)
            return holds()

        until(held)

    def skip_to_timer(self, within: float, which: Callable[[list[float]], float]) -> None:
        """Let time pass until one of the timers that are due within some seconds."""
        with self._changed:
            now = self.now()
            pauses = [when - now for when, *_, timer in self._agenda._heap if timer.callback is not None]
        if found := [pause for pause in pauses if 0.0 < pause <= within]:
            self.skip(which(found))


class Server:
    """The server of a furnace and an axis, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.floor, self.port = Floor(folder), unused_port()
        self._process: EpicsServer | None = None

    @property
    def process(self) -> EpicsServer:
        """The process; it is started where there is none."""
        if self._process is None:
            command = ["-m", "tests.loop.faults.server", str(self.port), str(self.floor.folder)]
            self._process = EpicsServer(command, self.port)
        return self._process

    def kill(self) -> None:
        """Kill it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("floor"))
    yield made
    made.kill()


def planned(data: Mapping[str, Any], folder: Path) -> CampaignResources:
    """Return what a session is made of."""
    from loop.planning.planner import Planner
    from loop.planning.pool_data import build_encoder

    file = folder / "campaign.yaml"
    if (folder / LAB_FILE).exists():
        file.write_text(yaml.safe_dump(dict(data)), encoding="utf-8")
    campaign = load_campaign(file) if file.exists() else Campaign(**data)
    return CampaignResources(campaign, None, Planner(campaign, build_encoder(campaign, None), ()))


def session(folder: Path, data: Mapping[str, Any]) -> None:
    """Run a campaign in a process that is to be killed."""
    from loop.run import conduct

    conduct(
        planned(data, folder), RunOptions(f"sqlite:///{folder / 'test.db'}", yaml.safe_dump(dict(data))), lambda _: None
    )


class Cell:
    """A campaign of two trials on one station; the fault meets the first."""

    def __init__(self, what: tuple[Fault, Kind], folder: Path, server: Server, patch: pytest.MonkeyPatch) -> None:
        (self.fault, self.kind), self.folder, self.server, self.patch = what, folder, server, patch
        self.floor = server.floor if self.kind.served else Floor(folder)
        self.floor.release()
        self.since = len(self.floor.done)
        self.events: list[Event] = []
        self.stop, self.abort = threading.Event(), threading.Event()
        self.parts: CampaignResources | None = None
        self.describe: Callable[[], str] = lambda: ""
        self.error: BaseException | None = None
        self.lab: Program | None = None
        self.trials = 2 * self.kind.places

    @property
    def outcome(self) -> Outcome:
        """What the table says."""
        found = self.fault.cells[self.kind.name]
        assert isinstance(found, Outcome)
        return found

    @property
    def data(self) -> dict[str, Any]:
        """The campaign."""
        kind = self.kind
        (setting, unit, low, high), (signal, read_in, _) = kind.setting, kind.signal
        step = only_step(
            ["result"],
            stations=["place"],
            recipe={setting: "$it", **kind.constants},
            analysis="instruments.analyses.plain_readings:metrics",
            analysis_settings={"signals": {"result": signal}, "uncertainty": {"result": 0.01}},
            timeout=f"{LIMIT} s",
        )
        if "analysis" in self.fault.step:
            step["analysis_settings"] = {"folder": str(self.floor.folder)}
        if not kind.device:
            step |= {"instructions": "Move sample {sample} by {x}", "asks": {signal: {"unit": read_in}}}
        return {
            "name": "matrix",
            "seed": 1,
            "space": {
                "parameters": {
                    "it": {"kind": "float", "unit": unit, "low": low, "high": high},
                    **({"own": dict(kind.own)} if kind.own else {}),
                }
            },
            "metrics": {"result": {"kind": "measured", "unit": read_in}},
            "objective": {"terms": [{"goal": "maximise", "metric": "result", "scale": 1.0}]},
            "planner": {"initial": 9},
            **({"lab": {"kind": "file", "path": LAB_FILE}} if kind.attached else self._laboratory),
            "workflow": [step | dict(self.fault.step)],
            "budget": {"trials": self.trials, "wall_time": "9 h"},
        }

    @property
    def _laboratory(self) -> dict[str, Any]:
        lab: dict[str, Any] = {"kind": "real"}
        if self.kind.served:
            lab |= {"epics_servers": [f"127.0.0.1:{self.server.port}"], "connection_timeout": f"{SLACK:g} s"}
        return {"lab": lab, "stations": {"place": self._station | dict(self.kind.more)}}

    @property
    def _station(self) -> dict[str, Any]:
        kind = self.kind
        if not kind.device:
            return {"kind": "manual"}
        settings = {key: text.format(floor=self.floor.folder) for key, text in kind.settings.items()}
        device = {"device": kind.device, "settings": settings | {"fault": self.fault.driver}}
        if kind.plan:
            return {"kind": "plan", "plan": kind.plan, "devices": {"stage": device}}
        return {"kind": "device", **device}

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'test.db'}"

    @property
    def jobs(self) -> list[list[str]]:
        """What the instrument has written down, in order."""
        return [words[1:] for words in self.floor.done[self.since :] if words[0] == self.kind.instrument]

    @property
    def begun(self) -> bool:
        """Whether the first job has begun."""
        return any(word == "begin" for word, _ in self.jobs)

    def run(self) -> None:
        """Let the fault happen, and go on until both trials have ended."""
        pauses = (2.0, 10.0) if self.fault.action == "restart" else (0.2, 0.4)  # links take some seconds to come back
        self.patch.setattr(dispatcher, "_PAUSES", pauses)
        if self.kind.served:
            assert self.server.process
        if self.kind.attached:
            (self.folder / LAB_FILE).write_text(yaml.safe_dump(self._laboratory), encoding="utf-8")
            self._open_lab()
        if self.fault.held:
            self.floor.hold()
        if not self.kind.device:
            self._meanwhile(Person(self).answer)
        if self.fault.killed:
            self._be_killed()
        elif self.fault.held or self.fault.action == "lose_patience":
            self._meanwhile(self._act)
        if self.outcome.ends:
            with pytest.raises(LabError, match=self.outcome.ends):
                self._settled_session()
            self._settled()
            assert self.server.process
            self._session()
        elif self._session().interrupted and self.error is None:
            self.stop.clear()
            self.abort.clear()
            self.floor.release()
            self._session()
        self._settled()

    def _session(self) -> SessionResult:
        from loop.run import conduct

        self.parts = planned(self.data, self.folder)
        options = RunOptions(self.url, yaml.safe_dump(self.data), stop=self.stop, abort=self.abort)
        gives_up = threading.Timer(WAITED + SLACK, self._give_up, [AssertionError("the session does not end")])
        gives_up.start()
        try:
            return conduct(self.parts, options, self._hear)
        finally:
            gives_up.cancel()

    def _settled_session(self) -> None:
        """Run a session; what made it end by itself is raised."""
        self._session()
        self._settled()

    def _give_up(self, error: BaseException) -> None:
        """End the session, and say why."""
        self.error = error
        self.floor.release()
        self.stop.set()
        self.abort.set()

    def _settled(self) -> None:
        for thread in threading.enumerate():
            if thread.name == "meanwhile":
                thread.join(WAITED)
        if self.error is not None:
            raise self.error

    def _meanwhile(self, act: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                act()
            except BaseException as error:  # noqa: BLE001 - it is raised in the test's own thread
                self._give_up(error)

        threading.Thread(target=guarded, name="meanwhile", daemon=True).start()

    def _act(self) -> None:
        until(lambda: self.begun)
        if self.fault.action:
            getattr(self, self.fault.action)()
        self.floor.release()

    def _be_killed(self) -> None:
        process = Program(self.folder, session, self.folder, self.data)
        until(lambda: self.begun)
        process.send_signal(signal.SIGKILL)
        assert process.end()[1] == -signal.SIGKILL
        if self.fault.action:
            getattr(self, self.fault.action)()
        self.floor.release()

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, StationsReady):
            self.describe = event.describe["place"]
        if self.fault.action == "lend":
            self._lend(event)

    @property
    def _driver(self) -> int:
        """The number of the driver's process, which the station shows."""
        until(lambda: "process" in self.describe())
        return int(re.findall(r"process (\d+)", self.describe())[0])

    def _open_lab(self) -> None:
        """Start the lab process."""
        self.lab = athanor(self.folder, "lab", "run", LAB_FILE)
        until(lambda: is_served(self.folder / LAB_FILE))

    def close(self) -> None:
        """End the lab process, if there is one."""
        if self.lab is not None:
            self.lab.send_signal(signal.SIGKILL)
            self.lab.end()

    def restart(self) -> None:
        """Kill the server, the lab process or the driver's process, and start it again."""
        if self.kind.served:
            self.server.kill()
            assert self.server.process
        elif self.kind.attached:
            self.close()
            self._open_lab()
        else:
            os.kill(self._driver, signal.SIGKILL)

    def fall_silent(self) -> None:
        """Let the server, or the driver's process, answer nothing for a while in the job, and again after it."""
        resume = self._silence()
        time.sleep(SILENT)
        resume()
        self.floor.release()
        if self.kind.plan:
            return  # which reads by itself, and once
        until(lambda: self._done)
        resume = self._silence(seen=False)
        time.sleep(SILENT)
        resume()

    def stay_silent(self) -> None:
        """Let the server, or the driver's process, answer nothing until the time of the job is over."""
        resume = self._silence()
        self._pass_time()
        resume()
        self._meanwhile(self._be_waited_for)

    def _silence(self, *, seen: bool = True) -> Callable[[], None]:
        """Stop the server, or the driver's process, until that is seen where it can be; return what lets it go on."""
        if not self.kind.served:
            driver = self._driver if self.lab is None else self.lab.pid
            os.kill(driver, signal.SIGSTOP)
            return lambda: _go_on(driver)
        self.server.process.silence()
        if self.kind.served and not self.kind.bound and seen:
            until(lambda: "disconnected" in self.describe())
        return self.server.process.resume

    def disappear(self) -> None:
        """Kill the server, and let the time of the job pass, and that for which it is waited for once more."""
        self.server.kill()
        if self.kind.served and not self.kind.bound:
            until(lambda: "disconnected" in self.describe())
        clock = self._pass_time()
        until(lambda: self._began_next or any(isinstance(e, Warned) and " late: " in e.text for e in self.events))
        clock.skip(LIMIT)

    def let_be_late(self) -> None:
        """Let the time of the job pass, and keep the job from ending until its trial is uncertain."""
        self._pass_time()
        self._meanwhile(self._be_waited_for)

    def break_down(self) -> None:
        """Wait until the driver has raised its error, or, where nobody hears of that, let the time of the job pass."""
        if self.kind.bound:
            self._pass_time()
        else:
            until(lambda: self._ended_first)
        self._meanwhile(self._be_waited_for)

    def _pass_time(self) -> SkippingClock:
        """Let the time of the job pass, and wait until its trial has ended."""
        clock = SkippingClock.made[-1]
        clock.skip_until(lambda: self._ended_first, LIMIT, max)
        return clock

    @property
    def _ended_first(self) -> bool:
        return any(isinstance(event, TrialEnded) and event.trial.number == 0 for event in self.events)

    def _be_waited_for(self) -> None:
        """Skip the pauses in which the late job is not asked for, once it has ended if it ever does."""
        clock, ends = SkippingClock.made[-1], self.outcome.device == "done"
        until(lambda: not ends or self._done)
        clock.skip_until(lambda: clock.closed or self._began_next, LIMIT / 10, min)

    @property
    def _done(self) -> bool:
        return any(word == "done" for word, _ in self.jobs)

    @property
    def _began_next(self) -> bool:
        return any(isinstance(event, StepStarted) and event.trial == self.kind.places for event in self.events)

    def lose_patience(self) -> None:
        """Let the time of the analysis pass as soon as it has begun."""
        until(lambda: any(words[0] == "analysis" for words in self.floor.done[self.since :]))
        late = SimpleNamespace(monotonic=lambda: time.monotonic() + ANALYSIS_LIMIT)
        self.patch.setattr(analysis_process, "time", late)

    def jump(self) -> None:
        """Let the system's clock jump."""
        now = time.time
        self.patch.setattr(time, "time", lambda: now() + 3 * 86400.0)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.stop.set()

    def abort_all(self) -> None:
        """Press Ctrl-C twice, and wait for the end of the session."""
        self.stop.set()
        self.abort.set()
        until(lambda: Reader(self.url).sessions()[-1].outcome != "")

    def _lend(self, event: Event) -> None:
        """Let the station be at somebody else's job when the first one comes, until it is seen to wait."""
        waits = isinstance(event, Warned) and "waits" in event.text
        if isinstance(event, Proposed) and event.trial == 0:
            self._occupy()
        elif waits:
            self._vacate()

    def _occupy(self) -> None:
        if not self.kind.served:
            (self.folder / "lent").touch()
        else:
            self.floor.hold()
            self._tell("begin")
            until(lambda: self.begun)
            self.since += 1

    def _vacate(self) -> None:
        (self.folder / "lent").unlink(missing_ok=True)
        self.floor.release()

    def _tell(self, what: str) -> None:
        """Have the server begin a job of somebody else's."""
        from ophyd import EpicsSignal

        puts: dict[str, Any] = {"matrix:axis:val": 0.5}
        if self.kind.served and not self.kind.bound:
            base = "matrix:oven:"
            puts = {f"{base}Temperature": 400.0, f"{base}Time": 1.0, f"{base}RampRate": 20.0, f"{base}Start": "theirs"}
        for name, value in puts.items():
            one = EpicsSignal(name, name=what, string=isinstance(value, str))
            one.wait_for_connection(timeout=20.0)
            one.put(value, wait=True)
            one.destroy()


def _go_on(process: int) -> None:
    """Let a process go on that was stopped, unless it was ended meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGCONT)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let links count as silent soon, so that tests need not wait for longer."""
    monkeypatch.setattr(epics_furnace, "PATIENCE", 0.3)
    for module in (real_lab, attached_lab):
        monkeypatch.setattr(module, "WallClock", SkippingClock)
    monkeypatch.setattr(campaign_link, "ANSWERING", 3.0)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return monkeypatch


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    yield
    while Oven.made:
        Oven.made.pop().destroy()
    SkippingClock.made.clear()


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "kind"), CELLS, ids=[f"{f.name}-{k.name}" for f, k in CELLS])
def test_a_fault_costs_what_the_table_says(
    fault: Fault, kind: Kind, tmp_path: Path, server: Server, quickly: pytest.MonkeyPatch
) -> None:
    cell = Cell((fault, kind), tmp_path, server, quickly)
    try:
        cell.run()
    finally:
        cell.close()
    check(cell)


def check(cell: Cell) -> None:
    """Hold what came of both trials, or both loads, against the table."""
    outcome, reader = cell.outcome, Reader(cell.url)
    odd, *others = reader.trials()
    assert (odd.state, odd.cause) == (outcome.state, outcome.cause), odd.reason
    assert re.search(outcome.reason, odd.reason)
    states = [
        outcome.state if k < cell.kind.places and not cell.fault.of_sample else TrialState.COMPLETED
        for k in range(1, cell.trials)
    ]
    assert [other.state for other in others] == states, "the campaign goes on"
    assert said(cell, odd) == outcome.device
    assert learnt(cell, odd) == outcome.learnt
    for other in others:
        assert learnt(cell, other) == (VALUE if other.state is TrialState.COMPLETED else outcome.learnt)
    held_up = max(change.lab for change in reader.transitions(0)) - (odd.steps[0].started or 0.0)
    assert held_up <= outcome.within.seconds + SLACK
    assert waits(cell) <= outcome.within.waits
    assert len(odd.steps) == 1 or "pause" in outcome.within.waits, "nothing is begun anew without a reason"


def waits(cell: Cell) -> set[str]:
    """Return what the controller says that it has waited for with the trial, which no load of a machine changes."""
    texts = [
        event.text
        for event in cell.events
        if isinstance(event, Warned) and re.match("trial 0 |load of 2: trials 0", event.text)
    ]
    late = [text for text in texts if re.search("(is|are) late: ", text)]
    assert len(late) <= 1
    return {"late" for _ in late} | {"pause" for text in texts if "waits, as" in text}


def said(cell: Cell, odd: TrialRecord) -> str:
    """Return what the instrument has written down last of the trial's job, which it began once at most."""
    value = f"{float(odd.candidate.parameters['it']):g}"
    tokens = [step.job for step in odd.steps]
    mine = [word for word, job in cell.jobs if job in tokens or (cell.kind.bound and job == value)]
    begun = [i for i, word in enumerate(mine) if word == "begin"]
    others = [t for t in Reader(cell.url).trials() if t.number != odd.number and t.candidate == odd.candidate]
    if cell.kind.bound and others:  # what was lost to the lab was proposed again, and measured then
        mine = mine[: begun[-len(others)]]
        begun = begun[: -len(others)]
    assert len(begun) <= 1
    return mine[-1] if mine else ""


def learnt(cell: Cell, trial: TrialRecord) -> str:
    """Return what the models have learnt of a trial; a measurement has to be the truth."""
    assert cell.parts is not None
    models = cell.parts.planner.models
    if trial.candidate in failures(models._failed):
        return FAILURE
    if trial.number not in models.learnt_from:
        return NOTHING
    got = models.measured.metrics["result"][models.learnt_from.index(trial.number)]
    assert got is not None
    true = cell.kind.signal[2] * float(trial.candidate.parameters["it"])
    assert got.value == pytest.approx(true, abs=3.0 if cell.kind.served and not cell.kind.bound else 0.05)
    return VALUE
