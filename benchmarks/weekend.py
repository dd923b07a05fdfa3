"""Leave a laboratory alone over a weekend: three campaigns, three furnaces, a fault every twenty minutes.

    python -m benchmarks.weekend --trials 1000

One lab process owns three furnaces on EPICS, each behind a server of its own; three campaigns attach to it. A weekend
has 60 hours and a fault every twenty minutes: 180 for 1,000 trials, in proportion for fewer, and evenly among them, so
that a slower machine meets as many. All kinds of faults come equally often. Controllers are killed as well: two
campaigns, one of them together with a server, and the lab process. What ends is started again, as a night shift does.
At the end people discard what nobody can tell of, and the furnaces' own journals are held against the stores: each
program that was begun is a trial's, none was begun twice, no trial was made twice, what was learnt is what was made,
and what was given up is what a furnace does not remember. Else the benchmark fails, and keeps its folder.
"""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.errors import start
from benchmarks.weekend_account import DISCARDED, SERVER, VISITOR, Account, Journal, judged
from campaigns.errors import StoreError
from campaigns.values import TrialState
from loop.core.records import TrialRecord
from loop.execution.shared_lab.socket_file import is_served
from loop.storage.connections import connect_reading
from loop.storage.reader import Reader
from simulators.epics_ioc import note
from simulators.epics_lab import LOOPBACK, FurnaceServer, unused_port

SPEED = 16800.0
"""Time of the furnaces per wall time: a program takes about half a second."""
_FAULTS = 180
"""In 1,000 trials."""
LAB = "lab"
"""The lab process, among the campaigns."""
_LIMIT = 10.0
"""Time limit of a step in s."""
_STUCK = 240.0
"""Wall time in seconds after which a weekend in which nothing changes is given up."""
_LOOK = 0.1
_RUN = """\
import sys
try:
    from loop.execution.jobs import dispatcher
    from loop.cli.app import main
except KeyboardInterrupt:
    sys.exit(6)
dispatcher._PAUSES = (0.2, 6.0)  # a weekend takes a three-hundredth of its time
main()
"""
_ANALYSES = """\
import os
import sys
import time
from pathlib import Path

from campaigns.values import Measurement, MetricValue

FAULT = Path(__file__).with_name("fault")


def soak(data, context):
    try:
        kind = FAULT.read_text()
        FAULT.unlink()
    except FileNotFoundError:
        kind = ""
    if kind == "raise":
        raise KeyError("no calibration")
    if kind == "exit":
        sys.exit("no licence")
    if kind == "hang":
        time.sleep(3600)
    return Measurement({"soak": MetricValue(float(data["soak_mean_temperature"]), 0.5, "degC")})
"""
_CAMPAIGN = """\
name: {name}
seed: {seed}
space:
  parameters:
    temperature: {{kind: float, unit: degC, low: 150, high: 400}}
metrics:
  soak: {{kind: measured, unit: degC}}
objective:
  terms:
    - {{goal: target, metric: soak, low: 290, high: 300, scale: 10}}
planner: {{initial: {initial}}}
lab: {{kind: file, path: lab.yaml}}
workflow:
  - name: fire
    stations: [{stations}]
    recipe: {{temperature: $temperature, time: 0.1 h, ramp_rate: 20 degC/min, lithium_excess: 0, atmosphere: air}}
    analysis: weekend_analyses:soak
    analysis_timeout: 2 s
    gives: [soak]
    timeout: {limit:g} s
budget: {{trials: {trials}}}
"""


class Process(Protocol):
    """A command that was started."""

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""

    def wait(self) -> int:
        """Wait for its end, and return its exit code."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal."""


@dataclass(frozen=True)
class Plan:
    """What is to happen.

    Attributes:
        trials: of all campaigns together.
        seed: of what happens when.
        campaigns: their names.
        furnaces: their names.
        initial: trials of each campaign before models propose.
        kills: share of the trials at which somebody is killed, and who.
        faults: how many, beside the kills; None for those of a weekend in proportion.
    """

    trials: int
    seed: int
    campaigns: tuple[str, ...] = ("red", "green", "blue")
    furnaces: tuple[str, ...] = ("one", "two", "three")
    initial: int = 12
    kills: tuple[tuple[float, tuple[str, ...]], ...] = (
        (0.25, ("red",)),
        (0.5, (LAB,)),
        (0.75, ("green", SERVER)),
    )
    faults: int | None = None

    @property
    def when(self) -> list[float]:
        """Before which trials there is a fault, in order."""
        count = round(self.trials * _FAULTS / 1000) if self.faults is None else self.faults
        return [self.trials * (number + 0.5) / count for number in range(count)]

    @property
    def of_each(self) -> int:
        """Trials of each campaign."""
        return self.trials // len(self.campaigns)


def command(folder: Path, words: Sequence[str], log: Path) -> Process:
    """Start ``athanor`` with words in a folder; what it prints is appended to a file."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-c", _RUN, *words], cwd=folder, stdout=file, stderr=file, stdin=subprocess.DEVNULL
        )


@dataclass
class Weekend:
    """The processes of a laboratory in a folder, and what may happen to them.

    Attributes:
        folder: where files, stores and journals lie.
        launch: starts a command.
        happened: fault or kill, to how often.
        restarts: what ended too early, with its exit code, to how often.
    """

    folder: Path
    plan: Plan
    launch: Callable[[Path, Sequence[str], Path], Process] = command
    happened: Counter[str] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Write the files, and start the servers; everything else is started by ``look_after``."""
        plan = self.plan
        self._chance, self._deck = random.Random(plan.seed), list[str]()
        self._ports = {name: unused_port() for name in plan.furnaces}
        (self.folder / "weekend_analyses.py").write_text(_ANALYSES)
        (self.folder / "lab.yaml").write_text(self._lab())
        for number, name in enumerate(plan.campaigns):
            values = {"name": name, "seed": number, "trials": plan.of_each, "initial": plan.initial, "limit": _LIMIT}
            text = _CAMPAIGN.format(stations=", ".join(plan.furnaces), **values)
            (self.folder / f"{name}.yaml").write_text(text)
        self._servers: dict[str, FurnaceServer] = {name: self._serve(name) for name in plan.furnaces}
        self._silent: dict[str, float] = {}
        self._away: dict[str, float] = {}
        self._processes: dict[str, Process] = {LAB: self._athanor("lab", "run", "lab.yaml")}
        self._ended: set[str] = set()

    @property
    def journals(self) -> list[Journal]:
        """What each furnace did."""
        files = [self._journal(name) for name in self.plan.furnaces]
        return [[line.split() for line in file.read_text().splitlines()] for file in files if file.exists()]

    @property
    def trials(self) -> dict[str, list[TrialRecord]]:
        """Campaign to its trials."""
        return {name: store.trials() for name, store in self._stores()}

    @property
    def counts(self) -> Counter[str]:
        """State to number of trials, of all campaigns."""
        return sum((self._counted(name) for name in self.plan.campaigns), Counter[str]())

    def look_after(self) -> bool:
        """Bring back what was away for long enough, start what does not run; return whether campaigns go on."""
        now = time.monotonic()
        for name in [name for name, until in self._silent.items() if now > until]:
            del self._silent[name]
            self._servers[name].resume()
        for name in [name for name, until in self._away.items() if now > until]:
            del self._away[name]
            self._servers[name] = self._serve(name)
        for name in (LAB, *self.plan.campaigns):
            if self._has_to_start(name):
                words = ("lab", "run", "lab.yaml") if name == LAB else ("run", f"{name}.yaml")
                self._processes[name] = self._athanor(*words)
        return len(self._ended) < len(self.plan.campaigns)

    def disturb(self) -> None:
        """Let something happen that may happen anywhere; every kind comes equally often."""
        kinds: dict[str, Callable[[], None]] = {
            "a server is silent": lambda: self._silence(self._chance.uniform(0.2, 2.0)),
            "a server is silent for longer than a step may take": lambda: self._silence(1.2 * _LIMIT),
            "a server is killed and started again": self._restart,
            "somebody else's program": self._visit,
            "an analysis raises": lambda: self._spoil("raise"),
            "an analysis exits": lambda: self._spoil("exit"),
            "an analysis hangs": lambda: self._spoil("hang"),
            "a store is locked for a while": self._lock,
            "Ctrl-C of a campaign": self._interrupt,
        }
        if not self._deck:
            self._deck = list(kinds)
            self._chance.shuffle(self._deck)
        kind = self._deck.pop()
        kinds[kind]()
        self.happened[kind] += 1

    def kill(self, *names: str) -> None:
        """Kill a campaign's controller, the lab process, or a server."""
        for name in names:
            if name == SERVER:
                self._restart()
            elif name in self._processes:
                self._processes[name].send_signal(signal.SIGKILL)
        self.happened[f"kill -9 of {' and '.join(map(_role, names))}"] += 1

    def settle(self) -> None:
        """Discard, as people do, all that nobody can tell of."""
        for name, store in self._stores():
            lost = [str(one.number) for one in store.trials() if one.state is TrialState.UNCERTAIN]
            if lost:
                self._athanor("trial", "discard", *lost, f"{name}.yaml", "--reason", DISCARDED).wait()

    def account(self) -> Account:
        """Return what has become of the samples."""
        analyses = sum(count for what, count in self.happened.items() if "an analysis" in what)
        found = judged(self.trials, self.journals, analyses)
        for name in self.plan.campaigns:
            if (count := self._counted(name).total()) != self.plan.of_each:
                found.wrong.append(f"{name} has {count} trials of {self.plan.of_each}")
            for line in self._log(name).read_text(errors="replace").splitlines():
                if line.startswith("Traceback"):
                    found.wrong.append(f"a traceback in {self._log(name)}")
        return found

    def close(self) -> None:
        """End all that is left."""
        for server in self._servers.values():
            server.resume()
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
        for process in self._processes.values():
            process.wait()
        for server in self._servers.values():
            server.kill()

    def _has_to_start(self, name: str) -> bool:
        """Return whether a command has to be started, or started again, now."""
        process = self._processes.get(name)
        if process is not None and (code := process.poll()) is None:
            return False
        if process is not None and name not in self._ended:
            if name != LAB and code == 0:
                self._ended.add(name)
            else:
                del self._processes[name]
                self.restarts[f"{_role(name)}, exit {code}"] += 1
        return name not in self._ended and (name == LAB or is_served(self.folder / "lab.yaml"))

    def _stores(self) -> Iterator[tuple[str, Reader]]:
        """Yield the campaigns that have a store, with it."""
        for name in self.plan.campaigns:
            with suppress(StoreError):  # it is just being made
                yield name, Reader(f"sqlite:///{self.folder / name}.db")

    def _counted(self, name: str) -> Counter[str]:
        try:
            with closing(connect_reading(self.folder / f"{name}.db")) as connection:
                return Counter(dict(connection.execute("SELECT state, count(*) FROM trial GROUP BY state")))
        except sqlite3.Error:  # it is just being made
            return Counter()

    def _silence(self, seconds: float) -> None:
        name = self._chance.choice([name for name in self.plan.furnaces if name not in self._away] or [""])
        if name:
            self._servers[name].silence()
            self._silent[name] = time.monotonic() + seconds

    def _restart(self) -> None:
        name = self._chance.choice(self.plan.furnaces)
        if name not in self._away:
            self._silent.pop(name, None)
            self._servers[name].kill()
            note(self._journal(name), SERVER, "killed", "-")
        self._away[name] = time.monotonic() + self._chance.uniform(0.0, 2.0)

    def _visit(self) -> None:
        """Begin a program at a furnace, as somebody at its panel does; it is refused where one is under way."""
        name = self._chance.choice(self.plan.furnaces)
        if name in self._silent or name in self._away:
            return
        put = f"write({f'{name}:Start'!r}, {f'{VISITOR}-{time.time()}'!r}, timeout=2)"
        place = {**LOOPBACK, "EPICS_CA_ADDR_LIST": f"127.0.0.1:{self._ports[name]}"}
        subprocess.run(
            [sys.executable, "-c", f"from caproto.sync.client import write; {put}"],
            env=place,
            capture_output=True,
            check=False,
        )

    def _spoil(self, kind: str) -> None:
        (self.folder / "fault").write_text(kind)

    def _lock(self) -> None:
        name = self._chance.choice([name for name, _ in self._stores()] or [""])
        if name:
            with closing(sqlite3.connect(self.folder / f"{name}.db", timeout=5.0)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                time.sleep(0.3)
                connection.rollback()

    def _interrupt(self) -> None:
        process = self._processes.get(self._chance.choice(self.plan.campaigns))
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)

    def _serve(self, name: str) -> FurnaceServer:
        with (self.folder / "servers.log").open("ab") as log:
            return FurnaceServer([f"{name}:"], SPEED, self._ports[name], self._journal(name), log)

    def _journal(self, name: str) -> Path:
        return self.folder / f"{name}.journal"

    def _lab(self) -> str:
        addresses = ", ".join(f'"127.0.0.1:{port}"' for port in self._ports.values())
        furnace = (
            '{{kind: device, device: "instruments.devices.epics_furnace:EpicsFurnace", settings: {{prefix: "{0}:"}}}}'
        )
        stations = "".join(f"  {name}: {furnace.format(name)}\n" for name in self.plan.furnaces)
        return f"lab: {{kind: real, epics_servers: [{addresses}]}}\nstations:\n{stations}"

    def _athanor(self, *words: str) -> Process:
        return self.launch(self.folder, words, self._log(words[1] if words[0] == "run" else words[0]))

    def _log(self, name: str) -> Path:
        return self.folder / f"{Path(name).stem}.log"


def _role(name: str) -> str:
    return {LAB: "the lab process", SERVER: "a server"}.get(name, "a campaign")


def pass_by(weekend: Weekend, told: Callable[[str], None]) -> None:
    """Let faults happen until all campaigns have ended.

    Raises:
        TimeoutError: nothing has changed for long.
    """
    trials, when = weekend.plan.trials, weekend.plan.when
    kills = list(weekend.plan.kills)
    begun = changed = time.monotonic()
    before, shown = Counter[str](), 0.0
    while weekend.look_after():
        now = time.monotonic()
        if (counts := weekend.counts) != before:
            before, changed = counts, now
        if now - changed > _STUCK:
            raise TimeoutError(f"nothing has changed for {_STUCK:.0f} s")
        proposed = counts.total()
        while kills and proposed >= kills[0][0] * trials:
            weekend.kill(*kills.pop(0)[1])
        if when and proposed >= when[0]:
            when.pop(0)
            weekend.disturb()
        if proposed - shown >= 0.05 * trials:
            shown = proposed
            done = f"{proposed} of {trials} trials, {weekend.happened.total()} faults"
            told(f"{now - begun:.0f} s: {done}: {_listed(counts)}")
        time.sleep(_LOOK)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def main(
    trials: Annotated[int, typer.Option(min=9, help="Trials of all campaigns together.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of what happens when.")] = 0,
    folder: Annotated[Path | None, typer.Option(help="Where files are kept; by default a temporary folder.")] = None,
) -> None:
    """Let a weekend pass, and print the account; exit with 1 where something is lost, repeated, untrue or left open."""
    console = Console()
    place = folder or Path(tempfile.mkdtemp(prefix="weekend-"))
    place.mkdir(parents=True, exist_ok=True)
    plan = Plan(trials - trials % 3, seed)
    console.print(f"seed {seed}, {plan.trials} trials, {len(plan.when)} faults and {len(plan.kills)} kills, in {place}")
    begun = time.monotonic()
    weekend = Weekend(place, plan)
    late = ""
    try:
        pass_by(weekend, lambda text: console.print(text, highlight=False))
        weekend.settle()
    except TimeoutError as error:
        late = str(error)
    finally:
        weekend.close()
    found = weekend.account()
    found.wrong += [late] if late else []
    console.print(table(weekend, found, time.monotonic() - begun))
    for text in found.wrong:
        console.print(f"WRONG: {text}", highlight=False)
    if found.wrong:
        console.print(f"everything is kept in {place}")
        sys.exit(1)
    if folder is None:
        shutil.rmtree(place)


def table(weekend: Weekend, found: Account, seconds: float) -> Table:
    """Return the figures."""
    made = Table("what", "figure", title="a weekend of faults")
    made.add_row("wall time", f"{seconds:.0f} s")
    made.add_row("trials, faults and kills", f"{found.trials.total()}, {weekend.happened.total()}")
    for what, count in sorted(weekend.happened.items()):
        made.add_row(what, str(count))
    for what, count in sorted(weekend.restarts.items()):
        made.add_row(f"started again: {what}", str(count))
    for state, count in sorted(found.trials.items()):
        made.add_row(f"trials {state}", str(count))
    made.add_row("given up as their furnace does not remember them", str(found.cut_off))
    made.add_row("given up as their furnace never heard of them", str(found.never_begun))
    made.add_row("programs begun", str(found.begun))
    made.add_row("lost, repeated, untrue, or left open", str(len(found.wrong)))
    return made


if __name__ == "__main__":
    start(main)
