"""Leave a laboratory alone over a weekend: three campaigns, three furnaces, a fault every twenty minutes.

    python -m benchmarks.weekend --trials 1000

One lab process owns three furnaces on EPICS, each behind a server of its own; three campaigns attach to it. A program
of a furnace takes about a second. In a weekend, 60 hours, a fault every twenty minutes is one for five or six of 1,000
trials, which is one in two seconds here. Servers fall silent, or are killed and started again, somebody else's programs
run, analyses raise, exit or hang, the stores are locked, and controllers are killed: two campaigns and the lab process.
What ends is started again, as a night shift does. At the end people settle what is uncertain, and the furnaces' own
journals are held against the stores: each program that was begun is an attempt of a trial, none was begun twice, no
trial was repeated, and what was learnt is what was made.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.errors import start
from campaigns.errors import StoreError
from campaigns.values import TrialState
from loop.core.records import TrialRecord
from loop.storage.reader import Reader
from simulators.epics_lab import LOOPBACK, FurnaceServer, unused_port

SPEED = 8400.0
"""Time of the furnaces per wall time."""
_EVERY = 2.0
"""Wall time in seconds between two faults."""
_CAMPAIGNS = ("red", "green", "blue")
_FURNACES = ("one", "two", "three")
_VISITOR = "visitor"
_OFF = 3.0
"""By how much a mean soak temperature [K] may be off what was asked for; the furnaces' noise is below 1 K."""
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
planner: {{initial: 12}}
lab: {{kind: file, path: lab.yaml}}
workflow:
  - name: fire
    stations: [one, two, three]
    recipe: {{temperature: $temperature, time: 0.1 h, ramp_rate: 20 degC/min, lithium_excess: 0, atmosphere: air}}
    analysis: weekend_analyses:soak
    analysis_timeout: 2 s
    gives: [soak]
    timeout: 20 s
budget: {{trials: {trials}}}
"""


class Weekend:
    """The processes of a laboratory in a folder, and what may happen to them.

    Args:
        folder: where files, stores and journals lie.
        trials: of each campaign.
        seed: of what happens when.
    """

    def __init__(self, folder: Path, trials: int, seed: int) -> None:
        self._folder, self._chance = folder, random.Random(seed)
        self.happened: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self._ports = {name: unused_port() for name in _FURNACES}
        (folder / "weekend_analyses.py").write_text(_ANALYSES)
        (folder / "lab.yaml").write_text(self._lab())
        for number, name in enumerate(_CAMPAIGNS):
            (folder / f"{name}.yaml").write_text(_CAMPAIGN.format(name=name, seed=number, trials=trials))
        self._servers = {name: self._serve(name) for name in _FURNACES}
        self._silent: dict[str, float] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {"lab": self._athanor("lab", "run", "lab.yaml")}
        for name in _CAMPAIGNS:
            self._processes[name] = self._athanor("run", f"{name}.yaml")
        self._ended: set[str] = set()

    @property
    def journal(self) -> list[list[str]]:
        """What the furnaces did: prefix, what, token."""
        files = [self._folder / f"{name}.journal" for name in _FURNACES]
        return [line.split() for file in files if file.exists() for line in file.read_text().splitlines()]

    def stores(self) -> Iterator[tuple[str, Reader]]:
        """Yield the campaigns that have a store, with it."""
        for name in _CAMPAIGNS:
            with suppress(StoreError):  # it is just being made
                yield name, Reader(f"sqlite:///{self._folder / name}.db")

    @property
    def proposed(self) -> int:
        """How many trials there are."""
        return sum(store.count() for _, store in self.stores())

    def look_after(self) -> bool:
        """Wake what is silent for long enough, start again what has ended too early; return whether anything runs."""
        now = time.monotonic()
        for name, server in self._servers.items():
            if server.ended:
                self.restarts["server"] += 1
                self._servers[name] = self._serve(name)
        for name in [name for name, until in self._silent.items() if now > until]:
            del self._silent[name]
            self._servers[name].resume()
        for name, process in self._processes.items():
            if name in self._ended or (code := process.poll()) is None:
                continue
            if name != "lab" and code == 0:
                self._ended.add(name)
                continue
            self.restarts[f"{'lab process' if name == 'lab' else 'campaign'}, exit {code}"] += 1
            time.sleep(0.2)
            words = ("lab", "run", "lab.yaml") if name == "lab" else ("run", f"{name}.yaml")
            self._processes[name] = self._athanor(*words)
        return len(self._ended) < len(_CAMPAIGNS)

    def disturb(self) -> None:
        """Let something happen that may happen anywhere."""
        kinds: dict[str, Callable[[], None]] = {
            "a server is silent": self._silence,
            "a server is killed and started again": self._restart,
            "somebody else's program": self._visit,
            "an analysis raises": lambda: self._spoil("raise"),
            "an analysis exits": lambda: self._spoil("exit"),
            "an analysis hangs": lambda: self._spoil("hang"),
            "a store is locked for a while": self._lock,
        }
        kind = self._chance.choice(list(kinds))
        kinds[kind]()
        self.happened[kind] += 1

    def kill(self, name: str) -> None:
        """Kill a campaign's controller, or the lab process."""
        self._processes[name].kill()
        self.happened[f"kill -9 of {'the lab process' if name == 'lab' else 'a campaign'}"] += 1

    def settle(self) -> int:
        """Discard, as people do, all that nobody can tell of; return how many trials."""
        count = 0
        for name, store in self.stores():
            for trial in store.trials():
                if trial.state is TrialState.UNCERTAIN:
                    words = ("trial", "discard", str(trial.number), f"{name}.yaml", "--reason", "nobody can tell")
                    count += self._athanor(*words).wait() == 0
        return count

    def close(self) -> None:
        """End all that is left."""
        for process in self._processes.values():
            process.send_signal(signal.SIGINT)
        for process in self._processes.values():
            process.wait()
        for server in self._servers.values():
            server.kill()

    def _silence(self) -> None:
        name = self._chance.choice(_FURNACES)
        self._servers[name].silence()
        self._silent[name] = time.monotonic() + self._chance.uniform(0.2, 2.0)

    def _restart(self) -> None:
        name = self._chance.choice(_FURNACES)
        self._silent.pop(name, None)
        self._servers[name].kill()
        self._servers[name] = self._serve(name)

    def _visit(self) -> None:
        """Begin a program at a furnace, as somebody at its panel does; it is refused where one is under way."""
        name = self._chance.choice([name for name in _FURNACES if name not in self._silent] or list(_FURNACES))
        if name in self._silent:
            return
        address = f"{name}:Start"
        script = (
            f"from caproto.sync.client import write; write({address!r}, {f'{_VISITOR}-{time.time()}'!r}, timeout=2)"
        )
        place = {**LOOPBACK, "EPICS_CA_ADDR_LIST": f"127.0.0.1:{self._ports[name]}"}
        subprocess.run([sys.executable, "-c", script], env=place, capture_output=True, check=False)

    def _spoil(self, kind: str) -> None:
        (self._folder / "fault").write_text(kind)

    def _lock(self) -> None:
        name = self._chance.choice([name for name, _ in self.stores()] or [""])
        if name:
            with closing(sqlite3.connect(self._folder / f"{name}.db", timeout=5.0)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                time.sleep(0.3)
                connection.rollback()

    def _serve(self, name: str) -> FurnaceServer:
        return FurnaceServer([f"{name}:"], SPEED, self._ports[name], self._folder / f"{name}.journal")

    def _lab(self) -> str:
        addresses = ", ".join(f'"127.0.0.1:{port}"' for port in self._ports.values())
        furnace = (
            '{{kind: device, device: "instruments.devices.epics_furnace:EpicsFurnace", settings: {{prefix: "{0}:"}}}}'
        )
        stations = "".join(f"  {name}: {furnace.format(name)}\n" for name in _FURNACES)
        return f"lab: {{kind: real, epics_servers: [{addresses}]}}\nstations:\n{stations}"

    def _athanor(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", "from loop.cli.app import main; main()", *words]
        log = (self._folder / f"{words[-1] if words[0] == 'run' else words[0]}.log").open("ab")
        with log:
            return subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def main(
    trials: Annotated[int, typer.Option(min=9, help="Trials of all campaigns together.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of what happens when.")] = 0,
    folder: Annotated[Path | None, typer.Option(help="Where files are kept; by default a temporary folder.")] = None,
) -> None:
    """Let a weekend pass, and print the account."""
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        weekend = Weekend(place, trials // len(_CAMPAIGNS), seed)
        try:
            pass_by(weekend, trials)
            settled = weekend.settle()
        finally:
            weekend.close()
        Console().print(account(weekend, settled, time.monotonic() - begun))


def pass_by(weekend: Weekend, trials: int) -> None:
    """Let faults happen until all campaigns have ended."""
    while weekend.look_after() and sum(store.count() > 0 for _, store in weekend.stores()) < len(_CAMPAIGNS):
        time.sleep(0.1)
    kills = {trials // 4: _CAMPAIGNS[0], trials // 2: "lab", 3 * trials // 4: _CAMPAIGNS[1]}
    due = time.monotonic() + _EVERY
    while weekend.look_after():
        for count in [count for count in kills if weekend.proposed >= count]:
            weekend.kill(kills.pop(count))
        if time.monotonic() > due:
            weekend.disturb()
            due = time.monotonic() + _EVERY
        time.sleep(0.05)


def account(weekend: Weekend, settled: int, seconds: float) -> Table:
    """Return what the furnaces did against what the stores say."""
    stored = {name: store.trials() for name, store in weekend.stores()}
    trials = [trial for one in stored.values() for trial in one]
    begun = Counter(token for _, what, token in weekend.journal if what == "begin" and not token.startswith(_VISITOR))
    known = {step.job for trial in trials for step in trial.steps}
    table = Table("what", "figure", title="a weekend of faults")
    table.add_row("wall time", f"{seconds:.0f} s")
    for what, count in sorted(weekend.happened.items()):
        table.add_row(what, str(count))
    for what, count in sorted(weekend.restarts.items()):
        table.add_row(f"started again: {what}", str(count))
    for state, count in sorted(Counter(trial.state.value for trial in trials).items()):
        table.add_row(f"trials {state}", str(count))
    table.add_row("uncertain trials that people have settled", str(settled))
    table.add_row("programs begun", str(sum(begun.values())))
    table.add_row("of them twice", str(sum(count - 1 for count in begun.values())))
    table.add_row("of them unknown to the stores", str(len(begun.keys() - known)))
    table.add_row("trials that were made twice", str(sum(_made(trial, begun) > 1 for trial in trials)))
    table.add_row("trials that have not ended", str(sum(not trial.state.ended for trial in trials)))
    table.add_row("trials that were learnt wrongly", str(sum(map(_is_wrong, trials))))
    return table


def _made(trial: TrialRecord, begun: Counter[str]) -> int:
    return sum(begun[step.job] > 0 for step in trial.steps)


def _is_wrong(trial: TrialRecord) -> bool:
    """Return whether a trial counts with a temperature that its sample has not seen."""
    if trial.state is not TrialState.COMPLETED:
        return False
    return abs(trial.metrics["soak"].value - float(trial.candidate.parameters["temperature"])) > _OFF


if __name__ == "__main__":
    start(main)
