"""Kill the controller, and the EPICS server of its furnaces, at random instants and between two transactions.

    python -m benchmarks.crash --lab epics --kills 100

Samples are calcined and annealed in three furnaces, whose server is a process of its own, for as long as there are
kills. After each of them the same campaign is run again. The furnaces write down which jobs they have begun and done,
and that tells whether the store is right: nothing that was made and could be read is lost, no step of a sample is begun
twice, what was measured is what was made, only those samples are uncertain that were cut off, and the store goes on.
"""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from campaigns.values import TrialState
from loop.core.records import StepRecord, TrialRecord
from loop.storage.reader import Reader
from simulators.epics_ioc import note
from simulators.epics_lab import FurnaceServer, unused_port

SPEED = 36000.0
"""Lab time of the furnaces per wall time: a program takes about .3 s."""
FURNACES = tuple(f"furnace_{i}" for i in (1, 2, 3))
SERVER, CONTROLLER = "server", "controller"
VICTIMS = (CONTROLLER, SERVER, f"{CONTROLLER} and {SERVER}")
_STORE = ("propose", "claim_load", "mark", "document", "measure", "end")
POINTS = (*(f"{when} {name}" for name in _STORE for when in ("before", "after")), "before start", "after start")
"""Between which two steps a kill may come: before or after a transaction of the store, or the furnace's start."""
_FORKS = multiprocessing.get_context("forkserver")
_TOLERANCE = 5.0
"""How far what was read may be from what was set, in degC: what the furnaces themselves allow."""
_LONGEST = 120.0
"""Wall time in seconds that a session may take between two kills before the benchmark gives up."""


@dataclass(frozen=True)
class Kill:
    """A kill.

    Attributes:
        victims: who is killed.
        point: between which two steps; empty for a random instant.
        count: how many times the session passes the point before.
        delay: wall time in seconds from the first job of the session, at a random instant.
        away: wall time in seconds for which the server is away, if it is killed.
    """

    victims: str
    point: str
    count: int
    delay: float
    away: float

    @property
    def controller(self) -> bool:
        """Whether the controller is killed."""
        return CONTROLLER in self.victims

    @property
    def server(self) -> bool:
        """Whether the server is killed."""
        return SERVER in self.victims


def drawn(generator: random.Random, number: int) -> Kill:
    """Return a random kill; every second one is at a named point."""
    victims = generator.choice(VICTIMS)
    point = generator.choice(POINTS) if number % 2 else ""
    return Kill(victims, point, generator.randint(0, 4), generator.uniform(0.0, 1.5), generator.uniform(0.0, 1.0))


def campaign(port: int) -> dict[str, Any]:
    """Return the campaign as a file would have it."""
    recipe = {"time": "1 h", "ramp_rate": "20 degC/min"}
    readings = "instruments.analyses.plain_readings:metrics"

    def step(name: str, temperature: str, metric: str) -> dict[str, Any]:
        settings = {"signals": {metric: "soak_mean_temperature"}, "uncertainty": {metric: 1.0}}
        return {
            "name": name,
            "stations": list(FURNACES),
            "recipe": {"temperature": temperature, **recipe},
            "analysis": readings,
            "analysis_settings": settings,
            "gives": [metric],
            "timeout": "30 s",
        }

    device = "instruments.devices.epics_furnace:EpicsFurnace"
    return {
        "name": "crash",
        "seed": 1,
        "space": {"parameters": {"hot": {"kind": "float", "unit": "degC", "low": 400, "high": 600}}},
        "metrics": {name: {"kind": "measured", "unit": "degC"} for name in ("calcined", "annealed")},
        "objective": {"terms": [{"goal": "maximise", "metric": "calcined", "scale": 10}]},
        "planner": {"initial": 100_000},
        "lab": {"kind": "real", "epics_servers": [f"127.0.0.1:{port}"]},
        "stations": {
            name: {"kind": "device", "device": device, "settings": {"prefix": f"crash:{name}:"}} for name in FURNACES
        },
        "workflow": [step("calcine", "$hot", "calcined"), step("anneal", "450 degC", "annealed")],
        "budget": {"trials": 100_000},
    }


def session(folder: Path, kill: Kill | None, server: int, trials: int | None) -> None:
    """Run the campaign in this process, and kill who is to be killed at a named point.

    Args:
        folder: of campaign, store and journal.
        kill: the kill; None for none.
        server: number of the server's process.
        trials: most trials to propose.
    """
    from campaigns.campaign import Campaign
    from loop.execution.jobs import dispatcher
    from loop.execution.options import RunOptions
    from loop.run import run

    dispatcher._PAUSES = (0.5, 2.0)  # jobs are short, too
    os.dup2(os.open(folder / "sessions.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    os.dup2(2, 1)
    faulthandler.dump_traceback_later(_LONGEST / 2)
    if kill is not None and kill.point:
        _arm(kill, lambda: _strike(folder, kill, server))
    text = (folder / "crash.yaml").read_text()
    options = RunOptions(_url(folder), text, max_trials=trials)
    run(Campaign(**yaml.safe_load(text)), options, lambda event: print(event, flush=True))


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'crash.db'}"


def _strike(folder: Path, kill: Kill, server: int) -> None:
    if kill.server:
        _cut_off_from(server, folder)
    if kill.controller:
        os.kill(os.getpid(), signal.SIGKILL)


def _cut_off_from(server: int, folder: Path) -> None:
    """Kill the server, and write that down when it can write down nothing any more."""
    os.kill(server, signal.SIGKILL)
    while _lives(server):
        time.sleep(0.001)
    note(folder / "journal.txt", SERVER, "killed")


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # whoever started it has seen its end
        return False
    return state != "Z"


def _arm(kill: Kill, strike: Callable[[], None]) -> None:
    """Let a method of the store, or the start of a furnace, strike when it is called for the given time."""
    from instruments.devices.epics_furnace import EpicsFurnace
    from loop.storage.store import Store

    when, name = kill.point.split()
    owner: Any = EpicsFurnace if name == "start" else Store
    original, calls = getattr(owner, name), itertools.count()

    def struck(*values: Any, **more: Any) -> Any:
        call = next(calls)  # stations call from threads of their own
        if call == kill.count and when == "before":
            strike()
        found = original(*values, **more)
        if call == kill.count and when == "after":
            strike()
        return found

    setattr(owner, name, struck)


class CrashCourse:
    """A campaign that is killed again and again.

    Args:
        folder: for everything.
        seed: of the kills.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.struck = folder, Counter[str]()
        self.failed_sessions = self.sessions = 0
        self._generator, self._port = random.Random(seed), unused_port()
        (folder / "crash.yaml").write_text(yaml.safe_dump(campaign(self._port), sort_keys=False))
        _FORKS.set_forkserver_preload(["loop.run", "simulators.lab_factory", "benchmarks.crash_epics"])
        self._server = self._started()

    def run(self, kills: int, told: Callable[[str], None]) -> None:
        """Run sessions until there were enough kills, and finish what they have left."""
        while (number := sum(self.struck.values())) < kills:
            kill = drawn(self._generator, number)
            if self._killed(kill):
                self.struck[f"{kill.victims}, {kill.point or 'at random'}"] += 1
                told(f"kill {number + 1}: {kill.victims}, {kill.point or 'at a random instant'}: {self._states()}")
        process = self._begun(None, 2)
        process.join(_LONGEST)
        if process.exitcode != 0:
            process.kill()
            raise RuntimeError(f"the store does not go on: {process.exitcode}; see {self.folder / 'sessions.log'}")

    def close(self) -> None:
        """End the server."""
        self._server.kill()

    @property
    def trials(self) -> list[TrialRecord]:
        """The trials of the store; none before there is one."""
        return Reader(_url(self.folder)).trials() if (self.folder / "crash.db").exists() else []

    def verdict(self) -> Verdict:
        """Return what the store says, held against what the furnaces have written down."""
        lines = (self.folder / "journal.txt").read_text().splitlines()
        return judged(self.trials, [line.split() for line in lines])

    def _killed(self, kill: Kill) -> bool:
        """Run a session until a kill; return whether it came to it, before the session ended by itself."""
        begun = len(self._journal)
        process = self._begun(kill, None)
        ends = time.monotonic() + _LONGEST
        while kill.point == "" and len(self._journal) == begun and process.is_alive():
            _wait(ends)
        if not kill.point:
            time.sleep(kill.delay)
            if kill.server and process.is_alive():
                _cut_off_from(self._server.pid, self.folder)
            if kill.controller:
                process.kill()
        while process.is_alive() and not self._server.ended:
            _wait(ends)
        came = self._server.ended or (process.exitcode in (None, -signal.SIGKILL))
        if self._server.ended:
            time.sleep(kill.away)
            self._server.kill()
            self._server = self._started()
        if not kill.controller and came:  # it goes on with the server that has come back, until its next steps are done
            self._goes_on(process)
        process.join(_LONGEST)
        if process.exitcode not in (0, -signal.SIGKILL):
            self.failed_sessions += 1
            if not came:
                raise RuntimeError(f"the store does not go on; see {self.folder / 'sessions.log'}")
        return came

    def _goes_on(self, process: Any) -> None:
        """Let a session end what is under way after its server has come back, and kill it somewhere there."""
        begun, ends = len(self._journal), time.monotonic() + _LONGEST
        while process.is_alive() and len(self._journal) < begun + 6:
            _wait(ends)
        process.kill()

    def _begun(self, kill: Kill | None, trials: int | None) -> Any:
        self.sessions += 1
        process = _FORKS.Process(target=session, args=(self.folder, kill, self._server.pid, trials))
        process.start()
        return process

    def _started(self) -> FurnaceServer:
        prefixes = [f"crash:{name}:" for name in FURNACES]
        return FurnaceServer(prefixes, SPEED, self._port, self.folder / "journal.txt")

    @property
    def _journal(self) -> list[str]:
        journal = self.folder / "journal.txt"
        return journal.read_text().splitlines() if journal.exists() else []

    def _states(self) -> str:
        counts = Counter(trial.state.value for trial in self.trials)
        return ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))


def _wait(ends: float) -> None:
    if time.monotonic() > ends:
        raise RuntimeError("the session neither ends nor comes to its kill")
    time.sleep(0.02)


@dataclass
class Verdict:
    """What has become of the samples.

    Attributes:
        trials: state to number of trials.
        begun: jobs that furnaces have begun.
        cut_off: uncertain jobs that were begun, and not read before their furnace was cut off.
        never_begun: uncertain jobs of which their furnace never heard, as the controller was killed before.
        wrong: what must not be, one line each.
    """

    trials: Counter[str] = field(default_factory=Counter)
    begun: int = 0
    cut_off: int = 0
    never_begun: int = 0
    wrong: list[str] = field(default_factory=list)


def judged(trials: list[TrialRecord], journal: list[list[str]]) -> Verdict:
    """Hold trials against what the furnaces have written down."""
    verdict = Verdict(Counter(trial.state.value for trial in trials))
    begun = Counter(token for _, word, *rest in journal if word == "begin" for token in rest)
    verdict.begun = begun.total()
    cut_off = _cut_off(journal)
    steps = {step.token: (trial, step) for trial in trials for step in trial.steps}
    samples = Counter(_sample(token) for token in begun)
    verdict.wrong += [f"job {token} was begun {count} times" for token, count in begun.items() if count > 1]
    verdict.wrong += [f"step {sample} was begun {count} times" for sample, count in samples.items() if count > 1]
    verdict.wrong += [f"job {token} is not in the store" for token in begun if token not in steps]
    for token, (trial, step) in steps.items():
        verdict.wrong += _misjudged(trial, step, (token in begun, token in cut_off))
        lost = step.state is TrialState.UNCERTAIN
        verdict.never_begun += lost and token not in begun
        verdict.cut_off += lost and token in cut_off
    verdict.wrong += [f"trial {t.number} is still {t.state.value}" for t in trials if t.begun and not t.state.ended]
    held = [t for t in trials if t.state is TrialState.QUARANTINED]
    verdict.wrong += [f"trial {t.number} is quarantined: {t.reason}" for t in held]
    return verdict


def _misjudged(trial: TrialRecord, step: StepRecord, did: tuple[bool, bool]) -> Iterator[str]:
    """Yield what is wrong with a step, by whether its job was begun, and cut off."""
    begun, cut_off = did
    if step.state is TrialState.ACQUIRED:
        wanted = float(trial.candidate.parameters["hot"]) if step.name == "calcine" else 450.0
        got = trial.metrics.get("calcined" if step.name == "calcine" else "annealed")
        if not begun:
            yield f"trial {trial.number}: {step.name} has data, and was never begun"
        if got is not None and abs(got.value - wanted) > _TOLERANCE:
            yield f"trial {trial.number}: {step.name} gave {got.value:.1f} degC, and was set to {wanted:.1f} degC"
    elif begun and not cut_off and step.state.ended:
        yield f"trial {trial.number}: {step.name} was made, could be read, and is {step.state.value}: {step.reason}"


def _cut_off(journal: list[list[str]]) -> set[str]:
    """Return the last job of each furnace whenever the server was killed: the furnace remembers it no more."""
    latest: dict[str, str] = {}
    found: set[str] = set()
    for who, word, *rest in journal:
        if (who, word) == (SERVER, "killed"):
            found |= set(latest.values())
        elif word == "begin":
            latest[who] = rest[0]
    return found


def _sample(token: str) -> str:
    """Return trial and step of a job."""
    _, trial, step, _ = token.rsplit("-", 3)
    return f"{trial}-{step}"


def table(course: CrashCourse, verdict: Verdict) -> Table:
    """Return the figures."""
    made = Table("what", "figure", title="kills of controller and EPICS server")
    for victims in VICTIMS:
        named = sum(n for what, n in course.struck.items() if what.startswith(f"{victims}, ") and "random" not in what)
        random_ = course.struck[f"{victims}, at random"]
        made.add_row(f"kills of {victims}", f"{named} at named points, {random_} at random")
    made.add_row("sessions", f"{course.sessions}, of which {course.failed_sessions} ended with an error")
    made.add_row("trials", ", ".join(f"{n} {state}" for state, n in sorted(verdict.trials.items())))
    made.add_row("jobs begun by the furnaces", str(verdict.begun))
    made.add_row("uncertain as their furnace was cut off", str(verdict.cut_off))
    made.add_row("uncertain, and never begun", str(verdict.never_begun))
    made.add_row("lost, repeated, untrue, or left open", str(len(verdict.wrong)))
    return made


def crash(folder: Path, kills: int, seed: int, console: Console) -> Verdict:
    """Kill, go on, and print the figures; return the verdict."""
    course = CrashCourse(folder, seed)
    with contextlib.closing(course):
        course.run(kills, lambda text: console.print(text, highlight=False))
        verdict = course.verdict()
    console.print(table(course, verdict))
    for text in verdict.wrong:
        console.print(f"WRONG: {text}", highlight=False)
    return verdict
