"""What a campaign needs from a person: each with its age, and with the commands that answer it.

It is worked out from trials and journal, so that it holds whether a run goes on or not, and after every kill.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from campaigns.decisions import AnswerStep, Settlement, StationMode, WithdrawTrial
from campaigns.fidelity import FULL
from campaigns.lab.by_hand import is_by_hand
from campaigns.values import TrialState
from loop.core.formatting import date_time, one_line, trials_text, unit_text
from loop.core.journal import Amendment
from loop.core.records import BY_HAND, COMPUTER, TrialRecord
from loop.core.standard_runs import StandardRun, doubt_text, in_doubt, unsettled
from loop.core.station_modes import HeldStation, StationOrder, held_stations


@dataclass(frozen=True, slots=True)
class Answer:
    """One way to answer a request.

    Attributes:
        command: words of the command line, without file and reason.
        effect: what comes of it.
        file: what the command names in the place of the campaign; None where it is that.
    """

    command: str
    effect: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """Something that a person has to decide or to do.

    Attributes:
        what: is asked.
        since: seconds since the epoch.
        answers: at least one.
        until: when it is too late, in seconds since the epoch; None where there is no limit.
        otherwise: what is done if nobody answers, and when; empty where it waits for ever.
    """

    what: str
    since: float
    answers: tuple[Answer, ...]
    until: float | None = None
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class StationWait:
    """Why a station of a run that goes on lets nothing begin.

    Attributes:
        since: seconds since the epoch.
        asks: whether people have to do something.
        ways: commands that they may answer with, each with what comes of it.
        about: the key of ``requests`` that limits the wait; empty where none does.
    """

    reason: str
    since: float
    asks: bool
    ways: Sequence[tuple[str, str]] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class LowStock:
    """A consumable that is to be refilled.

    Attributes:
        left: how much there is.
        reorder_at: amount below which it is refilled.
        since: seconds since the epoch.
    """

    left: str
    reorder_at: str
    since: float


@dataclass(frozen=True, slots=True)
class AskedStep:
    """What a person is asked to do, as a step of a trial.

    Attributes:
        text: the instructions.
        readings: what is to be entered, as words of the command line that are to be filled in.
        since, until: in seconds since the epoch.
    """

    text: str
    readings: Sequence[str]
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class CampaignFacts:
    """What requests are worked out from.

    Attributes:
        source: the campaign file as plain data.
        given_up: station to the reason why a session uses it no longer, and since when.
        unsafe: station to why it may not be in its safe state, and since when.
        waits: station to why it lets nothing move until people do something.
        standards: what stations gave for their calibration standards.
        forgetful: stations that can tell no more of a job than what the store says already.
        low: consumable to what is left of it, of those that are to be refilled.
        asked: token to what a person is to do.
        orders: what was ordered of stations for all campaigns on the lab file.
        deadline: when the campaign's wall time will be spent, in seconds since the epoch; None where it will not.
    """

    trials: Sequence[TrialRecord]
    amendments: Sequence[Amendment]
    source: Mapping[str, Any]
    given_up: Mapping[str, tuple[str, float]]
    unsafe: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    waits: Mapping[str, StationWait] = field(default_factory=dict)
    forgetful: Collection[str] = ()
    standards: Sequence[StandardRun] = ()
    deadline: float | None = None
    asked: Mapping[str, AskedStep] = field(default_factory=dict)
    low: Mapping[str, LowStock] = field(default_factory=dict)
    orders: Sequence[StationOrder] = ()


def open_requests(facts: CampaignFacts) -> list[OpenRequest]:
    """Return what is asked of people: what is not safe, then the oldest first."""
    stations = [*_waiting(facts), *_off(facts), *_given_up(facts), *_held(facts), *_left_at(facts)]
    found = [*_by_hand(facts), *_manual(facts), *_low(facts), *_uncertain(facts), *stations]
    return [*_unsafe(facts), *sorted(found, key=lambda one: one.since)]


def _uncertain(facts: CampaignFacts) -> Iterator[OpenRequest]:
    """Yield a request for each uncertain trial about which nobody has decided yet."""
    decided = {a.change.trial for a in facts.amendments if a.waiting and isinstance(a.change, Settlement)}
    for trial in facts.trials:
        if trial.state is TrialState.UNCERTAIN and trial.number not in decided:
            what = f"what became of sample {trial.number}? {one_line(trial.reason)}"
            ways = (*_answers(trial, facts), *_ways(trial, facts))
            yield OpenRequest(what, trial.ended or trial.created, ways, otherwise=_otherwise(facts.source, "trial"))


def _by_hand(facts: CampaignFacts) -> Iterator[OpenRequest]:
    """Yield a request for the trials that wait in a campaign without a laboratory, which people do by themselves."""
    waiting = [trial for trial in facts.trials if trial.waits]
    if not waiting or not is_by_hand(facts.source):
        return
    metrics = (name for name, one in dict(facts.source["metrics"]).items() if one.get("kind") == "measured")
    words = " ".join(f"{name}=VALUE" for name in metrics)
    answers = [Answer(f"trial tell {one.number} {words}", f"trial {one.number} is done") for one in waiting]
    verb = "wait to be done, and for their results" if len(waiting) > 1 else "waits to be done, and for its result"
    what = f"{trials_text([one.number for one in waiting])} {verb}; 'athanor trials' lists what they are"
    yield OpenRequest(what, min(one.created for one in waiting), tuple(answers))


def _manual(facts: CampaignFacts) -> Iterator[OpenRequest]:
    """Yield a request for each step that a person is to do, and about which nobody has said anything yet."""
    for trial in facts.trials:
        last = trial.steps[-1] if trial.steps else None
        if last is None or not last.open or not (answers := tuple(_answers(trial, facts))):
            continue
        asked = facts.asked[last.token]
        what = f"{last.name} of trial {trial.number} at {last.station}: {asked.text}"
        otherwise = f"without an answer until {date_time(asked.until)}, trial {trial.number} becomes uncertain"
        yield OpenRequest(what, asked.since, answers, otherwise=otherwise)


def _low(facts: CampaignFacts) -> Iterator[OpenRequest]:
    """Yield a request for each consumable that is to be refilled."""
    for name, one in facts.low.items():
        refilled = Answer(f"consumable refill {name} AMOUNT", "so much was added")
        counted = Answer(f"consumable count {name} AMOUNT", "so much is there")
        what = f"{name} runs low: {one.left} left, reordered below {one.reorder_at}"
        yield OpenRequest(what, one.since, (refilled, counted))


def _answers(trial: TrialRecord, facts: CampaignFacts) -> Iterator[Answer]:
    """Yield the ways to say what became of a manual step, unless somebody has."""
    token, number = trial.steps[-1].token, trial.number
    answered = {a.change.token for a in facts.amendments if isinstance(a.change, AnswerStep) and not a.refused}
    if token not in facts.asked or token in answered:
        return
    words = " ".join([str(number), *facts.asked[token].readings])
    yield Answer(f"trial confirm {words}", "it is done")
    yield Answer(f"trial fail {number}", "it could not be done: the trial fails, and nothing is learnt from it")
    yield Answer(f"trial fail {number} --sample", "the sample cannot be used: the models learn from it")


_DONE = {
    "discard": "the sample is given up",
    "out": "it is taken out",
    "withdraw": "what waits for it and was not begun is withdrawn",
    "stop": "the run ends after the current trials, as does each later one",
}


def _otherwise(source: Mapping[str, Any], kind: str) -> str:
    """Return what the campaign file says of requests of a kind that nobody answers."""
    limit = dict(source.get("requests") or {}).get(kind)
    if limit is None:
        return ""
    given = limit["time_limit"]
    after = given if isinstance(given, str) else f"{given:g} s"
    return f"without an answer after {after} of a run, {_DONE[limit['then']]}"


def _ways(trial: TrialRecord, facts: CampaignFacts) -> Iterator[Answer]:
    number, last, source = trial.number, trial.steps[-1], facts.source
    if last.station not in (COMPUTER, BY_HAND, *facts.forgetful):
        yield Answer(f"trial attach {number}", f"ask {last.station} again, and wait for the end of its job")
    if last.station not in (COMPUTER, BY_HAND, *facts.forgetful) and last.token not in facts.asked:
        yield Answer(f"trial reread {number}", f"the job is done: read its data again from {last.station}")
    if (metrics := _metrics(trial, last.name, source)) is not None:
        words = " ".join([str(number), *metrics])
        effect = f"{last.name} went well: enter what it gave" if metrics else f"{last.name} went well: go on after it"
        yield Answer(f"trial result {words}", effect)
    yield Answer(f"trial retry {number}", f"the sample is good: repeat {last.name} with it")
    yield Answer(f"trial discard {number}", "the sample is lost")


def _metrics(trial: TrialRecord, step: str, source: Mapping[str, Any]) -> list[str] | None:
    """Return the metrics that a step gives, as words to be filled in; None where there is no such step."""
    for one in _workflow(trial, source):
        if one["name"] == step:
            units = {name: str(metric.get("unit", "1")) for name, metric in source["metrics"].items()}
            return [f"'{name}=VALUE ± SD{unit_text(units[name])}'" for name in one.get("gives", ())]
    return None


def _workflow(trial: TrialRecord, source: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found = source if trial.fidelity == FULL else source["fidelities"][trial.fidelity]
    steps: Sequence[Mapping[str, Any]] = found.get("workflow") or ()
    return steps


def _unsafe(facts: CampaignFacts) -> Iterator[OpenRequest]:
    """Yield a request for each station of which nobody has said that it is safe, since it could not be told to be."""
    for name, (reason, since) in facts.unsafe.items():
        again = Answer(f"station in {name}", "you have looked at it, and it is safe: use it again")
        out = Answer(f"station out {name}", "you have looked at it, and it is safe: leave it out")
        what = f"look at it now: {name} is NOT in its safe state: {one_line(reason)}"
        yield OpenRequest(what, since, (again, out), otherwise=_otherwise(facts.source, "unsafe"))


def _waiting(facts: CampaignFacts) -> Iterator[OpenRequest]:
    """Yield a request for each reason for which nothing moves at stations until people have done something."""
    alike: dict[tuple[str, str], dict[str, StationWait]] = {}
    for name, wait in facts.waits.items():
        if name not in facts.unsafe:
            alike.setdefault((wait.reason, wait.about), {})[name] = wait
    for (reason, about), waits in alike.items():
        goes = "wait, and go on by themselves" if len(waits) > 1 else "waits, and goes on by itself"
        ways = dict.fromkeys(way for wait in waits.values() for way in wait.ways)
        answers = [Answer(command, effect) for command, effect in ways]
        answers += [Answer(f"station out {name}", f"leave {name} out, and ask no more") for name in waits]
        since = min(wait.since for wait in waits.values())
        what = f"{', '.join(waits)} {goes} once this is mended: {one_line(reason)}"
        yield OpenRequest(what, since, tuple(answers), otherwise=_otherwise(facts.source, about))


def _off(facts: CampaignFacts) -> Iterator[OpenRequest]:
    """Yield a request for each station whose calibration standard is off, with the trials that this puts in doubt."""
    for run in unsettled(facts.standards, facts.amendments):
        trials = in_doubt(run, facts.standards, facts.trials)
        ended = {trial.number: trial for trial in facts.trials if trial.state is TrialState.COMPLETED}
        left = [number for number in trials if number in ended]
        keep = f"{trials_text(left)} count{'s' * (len(left) == 1)} all the same" if left else "it is right: ask no more"
        effect = "it is adjusted: measure the standard again" if run.then == "out" else keep
        again = Answer(f"station recalibrated {run.station}", "it is adjusted: measure the standard again")
        answers = [Answer(f"station in {run.station}", effect), *([again] if run.then == "flag" else [])]
        if left:
            words = " ".join(map(str, left))
            answers.append(Answer(f"trial withdraw {words}", f"nothing is learnt from {trials_text(left)}"))
        resting = {one.change.trial for one in facts.amendments if isinstance(one.change, WithdrawTrial)}
        if back := [number for number in trials if number in resting and number not in ended]:
            words = " ".join(map(str, back))
            answers.append(Answer(f"trial reanalyse {words}", f"{trials_text(back)} count after all"))
        answers.append(Answer(f"station out {run.station}", "leave it out"))
        what, otherwise = doubt_text(run, facts.standards, facts.trials), _otherwise(facts.source, "standard")
        yield OpenRequest(what, run.time, tuple(answers), otherwise=otherwise)


def _given_up(facts: CampaignFacts) -> Iterator[OpenRequest]:
    """Yield a request for each station that has failed time after time."""
    held = held_stations(facts.amendments, facts.orders)
    for name, (reason, since) in facts.given_up.items():
        if name not in held:
            what = f"{name} is no longer used, as it failed time after time: {one_line(reason)}"
            mended = Answer(f"station in {name}", "it is mended: use it again")
            out = Answer(f"station out {name}", "leave it out, and ask no more")
            yield OpenRequest(what, since, (mended, out), otherwise=_otherwise(facts.source, "station"))


def _held(facts: CampaignFacts) -> Iterator[OpenRequest]:
    """Yield a request for each step that trials wait for, and all of whose stations people hold."""
    held = held_stations(facts.amendments, facts.orders)
    waiting: dict[str, list[TrialRecord]] = {}
    stations: dict[str, list[str]] = {}
    for trial in facts.trials:
        step = None if trial.state.ended or any(s.open for s in trial.steps) else _next_step(trial, facts.source)
        if step is not None and all(name in held for name in step["stations"]):
            waiting.setdefault(step["name"], []).append(trial)
            stations[step["name"]] = list(step["stations"])
    for step_name, trials in waiting.items():
        yield replace(_waits(step_name, trials, {n: held[n] for n in stations[step_name]}), until=facts.deadline)


def _left_at(facts: CampaignFacts) -> Iterator[OpenRequest]:
    """Yield a request for each job that was begun at a station which is out now, so that nobody asks for its end."""
    held = held_stations(facts.amendments, facts.orders)
    for trial in facts.trials:
        last = trial.steps[-1] if trial.steps and not trial.state.ended else None
        out = None if last is None or not last.open else held.get(last.station)
        if last is not None and out is not None and not out.attaches:
            what = f"trial {trial.number} was at {last.name} when {last.station} was taken {out.text}"
            ask = Answer(f"station in {last.station}", "use it again, and ask it what became of the job")
            lost = Answer(f"trial discard {trial.number}", "the sample is lost")
            yield OpenRequest(what, out.since, (ask, lost))


def _next_step(trial: TrialRecord, source: Mapping[str, Any]) -> Mapping[str, Any] | None:
    done = {record.name for record in trial.done}
    return next((step for step in _workflow(trial, source) if step["name"] not in done), None)


def _waits(step: str, trials: Sequence[TrialRecord], held: Mapping[str, HeldStation]) -> OpenRequest:
    verb = "waits" if len(trials) == 1 else "wait"
    why = "; ".join(f"{name} is {one.text}" for name, one in held.items())
    what = f"{trials_text([trial.number for trial in trials])} {verb} for {step}: {why}"
    again = {StationMode.PAUSED: "resume"}
    answers = [Answer(f"station {again.get(one.mode, 'in')} {name}", f"use {name} again") for name, one in held.items()]
    return OpenRequest(what, max(one.since for one in held.values()), tuple(answers))
