"""Whole campaigns on random laboratories: validated, proposed, amended, run and run again, as people operate them."""

from __future__ import annotations

import json
import random
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.safety.account import Account
from benchmarks.safety.drawing import UNITS, Drawing
from benchmarks.safety.epics import PREFIX, KilnServer, judge
from benchmarks.safety.users import WORLDS, World
from campaigns.amendments import AddTrial, SetBounds
from campaigns.decisions import AbortTrial, RetryTrial, SetStation, StationMode, StopRun
from campaigns.errors import AthanorError
from campaigns.load import load_campaign
from instruments.emergency_stop import StopFile
from loop.core.events import Event, StepStarted, TrialEnded
from loop.execution.options import RunOptions
from loop.run import run
from loop.storage.paths import open_journal
from loop.validation.lab_checks import check_lab

_USERS = "benchmarks.safety.users"
_SESSIONS = 3
_MENDING = 0.3
"""Wall time in seconds after which people have mended what interlocks look at."""
_PATIENCE = 6
"""How often people mend it before they end a session."""
_numbers = count()


@dataclass
class Driven:
    """What came of a campaign, beside the account of its laboratory.

    Attributes:
        refused: whether ``validate`` refuses it.
        ends: how its sessions ended.
        states: of its trials.
        odd: errors that are none of the program's own.
    """

    account: Account
    commands: int = 0
    refused: bool = False
    ends: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)


class RandomCampaign:
    """A random campaign on a random laboratory, and the people around it.

    Args:
        generator: of all that is drawn.
        folder: where all files stand.
        tries: commands of a user's code in one job.
        epics: whether the laboratory is a kiln on EPICS, and nothing else.
    """

    def __init__(self, generator: random.Random, folder: Path, tries: int, *, epics: bool = False) -> None:
        self._draw, self._folder, self._number = generator, folder, next(_numbers)
        self.account = Account(wall=True)
        self._drawing = Drawing(generator, self.account, rated=0.1, brisk=True)
        kinds = ["kiln"] if epics else generator.sample(("heater", "rig", "plan"), generator.randint(1, 3))
        self.stations = {f"s{i}": kind for i, kind in enumerate(kinds)}
        self._server: KilnServer | None = None
        lab = self._lab_file()
        if epics:
            units = [UNITS[self.account.parts[f"s0.{name}"].unit][0] for name in "abc"]
            self._server = KilnServer(folder / "arrived.txt", units)
            lab["lab"]["epics_servers"] = [f"127.0.0.1:{self._server.port}"]
        self._readings = dict(self.account.readings)
        self.world = World(self.account, generator, StopFile(folder / "lab.stop"), tries)
        self.world.calm = generator.random() < 0.4
        WORLDS[self._number] = self.world
        self._write("lab.yaml", lab)
        self.file = self._write("sneaky.yaml", self._campaign())
        self._url = f"sqlite:///{self.file.with_suffix('.db')}"

    def drive(self) -> Driven:
        """Validate the campaign and run it, whatever was said, until it has ended."""
        found = Driven(self.account)
        try:
            campaign = load_campaign(self.file)
            with suppress(AthanorError):
                found.refused = True
                check_lab(campaign, self.file)
                found.refused = False
            for _ in range(_SESSIONS):
                options = RunOptions(self._url, self.file.read_text(encoding="utf-8"))
                people = _People(self, options)
                try:
                    result = run(campaign, options, self._on_event)
                    found.ends.append(result.reason)
                    found.states = [str(trial.state) for trial in result.trials]
                    if result.finished:
                        break
                except AthanorError as error:
                    found.ends.append(f"{type(error).__name__}: {error}")
                finally:
                    people.end()
        except AthanorError as error:
            found.ends.append(f"{type(error).__name__}: {error}")
        finally:
            del WORLDS[self._number]
            if self._server is not None:
                self._server.close()
                judge(self.account, "s0", self._server.journal, self.world.closed)
        found.commands = self.world.commands
        return found

    def mend(self) -> None:
        """Let all be well again."""
        self.world.mend(self._readings)

    def _write(self, name: str, body: dict[str, Any]) -> Path:
        file = self._folder / name
        file.write_text(json.dumps(body, indent=1), encoding="utf-8")
        return file

    def _lab_file(self) -> dict[str, Any]:
        stations = {}
        for name, kind in self.stations.items():
            prefix = "rig." if kind == "plan" else ""
            rules = self._drawing.rules(name, [f"{prefix}{one}" for one in "abc"])
            stations[name] = self._station(name, kind, prefix) | rules
        readings = self._drawing.readings({"device": f"{_USERS}:Reading", "settings": {"world": self._number}})
        forbidden = self._drawing.forbidden()
        return {"lab": {"kind": "real"}, "stations": stations, "readings": readings, "forbidden": forbidden}

    def _station(self, name: str, kind: str, prefix: str) -> dict[str, Any]:
        settings = {"world": self._number, "station": name, "sly": self._draw.random() < 0.5}
        if kind == "kiln":
            return {
                "kind": "device",
                "device": "benchmarks.safety.epics:Kiln",
                "settings": settings | {"prefix": PREFIX},
            }
        if kind == "heater":
            return {"kind": "device", "device": f"{_USERS}:Heater", "settings": settings}
        setpoints: dict[str, dict[str, Any]] = {}
        for one in "abc":
            unit = UNITS[self.account.parts[f"{name}.{prefix}{one}"].unit][0]
            setpoints[one] = {"unit": unit, "limits": [-1e6, 1e6]}
            if kind == "rig":
                setpoints[one] |= {"tolerance": 1e9, "timeout": "5 s"}
        device = {"device": f"{_USERS}:Rig", "settings": settings | {"prefix": prefix}}
        found = {"kind": "plan" if kind == "plan" else "device", "devices": {"rig": device}, "setpoints": setpoints}
        return found | ({"plan": f"{_USERS}:sneak"} if kind == "plan" else {})

    def _campaign(self) -> dict[str, Any]:
        workflow: list[dict[str, Any]] = []
        parameters: dict[str, dict[str, Any]] = {}
        beyond = self._draw.random() < 0.15
        for name, kind in self.stations.items():
            recipe: dict[str, str] = {}
            for one in "abc":
                part = self.account.parts[f"{name}.{'rig.' if kind == 'plan' else ''}{one}"]
                width = part.high - part.low
                low = part.low + self._draw.uniform(-0.5 if beyond else 0.0, 0.4) * width
                high = part.high - self._draw.uniform(-0.5 if beyond else 0.0, 0.4) * width
                if self._draw.random() < 0.3:
                    recipe[one] = self._drawing.quantity(round(self._draw.uniform(low, high), 3), part.unit)
                    continue
                own, other, zero, slope = UNITS[part.unit]
                unit, zero, slope = (own, 0.0, 1.0) if self._draw.random() < 0.5 else (other, zero, slope)
                ends = sorted((low * slope + zero, high * slope + zero))
                parameters[f"{name}_{one}"] = {"kind": "float", "unit": unit, "low": ends[0], "high": ends[1]}
                recipe[one] = f"${name}_{one}"
            workflow.append({"name": f"at_{name}", "stations": [name], "recipe": recipe, "timeout": "20 s"})
        workflow[-1] |= {"analysis": f"{_USERS}:measured", "gives": ["m"]}
        term = {"goal": "maximise", "metric": "m", "scale": 1}
        return {
            "name": "sneaky",
            "seed": self._draw.randrange(1000),
            "space": self._space(parameters),
            "metrics": {"m": {"kind": "measured", "unit": "1"}},
            "objective": {"terms": [term]},
            "planner": {"initial": 2 if self._draw.random() < 0.05 else 8},
            "lab": {"kind": "file", "path": "lab.yaml"} | self._own_limits(),
            "workflow": workflow,
            "budget": {"trials": 4},
        }

    def _own_limits(self) -> dict[str, Any]:
        """Return limits of the campaign's own, tighter than the lab file, or wider, which is refused."""
        if self._draw.random() < 0.6:
            return {}
        station = self._draw.choice([name for name, kind in self.stations.items() if kind != "plan"] or [""])
        if not station:
            return {}
        place = f"{station}.{self._draw.choice('abc')}"
        part, wider = self.account.parts[place], self._draw.random() < 0.2
        off = (part.high - part.low) * (-0.3 if wider else self._draw.uniform(0.0, 0.05))
        low, high = part.low + off, part.high - off
        if not wider and low <= part.safe <= high:
            self.account.parts[place] = replace(part, low=low, high=high)
        elif not wider:
            return {}
        return {"limits": {station: {part.name: {"unit": UNITS[part.unit][0], "low": low, "high": high}}}}

    def _space(self, parameters: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Return the space, with a constraint that leaves some of it, and a mixture of two temperatures."""
        self._ends = {name: {"low": one["low"], "high": one["high"]} for name, one in parameters.items()}
        space: dict[str, Any] = {"parameters": parameters}
        names = [name for name, one in parameters.items() if one["unit"] == "K"]
        if len(names) > 1 and self._draw.random() < 0.5:
            shares = {name: parameters.pop(name) for name in names[:2]}
            components = {name: {"low": one["low"], "high": one["high"]} for name, one in shares.items()}
            total = sum(self._draw.uniform(one["low"], one["high"]) for one in shares.values())
            space["mixtures"] = {"warm": {"components": components, "total": total, "unit": "K"}}
        if len(parameters) > 1 and self._draw.random() < 0.5:
            first, second = self._draw.sample(list(parameters), 2)
            (low, high), (least, most) = ((parameters[n]["low"], parameters[n]["high"]) for n in (first, second))
            middle = low + 2 * least + 0.5 * (high - low + 2 * (most - least))
            space["constraints"] = [f"{first} + 2 * {second} <= {middle!r}"]
        return space

    def _on_event(self, event: Event) -> None:
        """Let people do something, without asking whether it is allowed."""
        if isinstance(event, StepStarted | TrialEnded) and self._draw.random() < 0.5:
            trial = event.trial if isinstance(event, StepStarted) else event.trial.number
            change = self._order(trial)
            if isinstance(change, AbortTrial):  # its station goes into its safe state
                self.account.troubled |= set(self.stations)
            if change is not None:
                open_journal(self.file, self._url).amend([change], ("somebody", "because"), {})

    def _order(self, trial: int) -> Any:
        """Return what somebody orders, without asking whether it is allowed."""
        data = self._ends
        name = self._draw.choice(list(data))
        far: dict[str, Any] = {key: self._draw.uniform(one["low"] - 30, one["high"] + 30) for key, one in data.items()}
        station = self._draw.choice(list(self.stations))
        low, high = data[name]["low"] - 50, data[name]["high"] + 50
        return self._draw.choice(
            (
                SetBounds(parameter=name, low=low, high=high),
                AddTrial(parameters=far),
                AbortTrial(trial=trial),
                RetryTrial(trial=trial),
                SetStation(station=station, mode=self._draw.choice((StationMode.OUT, StationMode.IN))),
                SetStation(station=station, mode=StationMode.IN),
                StopRun(after=self._draw.choice(("step", "trial"))),
            )
        )


class _People:
    """Those who mend the laboratory again and again while a session goes on, and give that up when it takes long."""

    def __init__(self, campaign: RandomCampaign, options: RunOptions) -> None:
        self._campaign, self._options, self._ended = campaign, options, threading.Event()
        self._thread = threading.Thread(target=self._mend, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Mend it once more."""
        self._ended.set()
        self._thread.join()
        self._campaign.mend()

    def _mend(self) -> None:
        for _ in range(_PATIENCE):
            if self._ended.wait(_MENDING):
                return
            self._campaign.mend()
            with suppress(AthanorError):  # as before it has begun
                journal = open_journal(self._campaign.file, None)
                for name in self._campaign.stations:
                    journal.amend([SetStation(station=name, mode=StationMode.IN)], ("somebody", "mended"), {})
        self._options.stop.set()
        self._campaign.account.troubled |= set(self._campaign.stations)
        if not self._ended.wait(_MENDING):
            self._options.abort.set()


def drive(seed: int, tries: int = 50, *, epics: bool = False) -> Driven:
    """Return what came of a random campaign."""
    with tempfile.TemporaryDirectory() as folder:
        return RandomCampaign(random.Random(seed), Path(folder), tries, epics=epics).drive()
