"""Hold what the stores of a weekend say against what the furnaces have written down."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from campaigns.values import Cause, TrialState
from loop.core.records import TrialRecord

VISITOR = "visitor"
"""How the tokens of somebody else's programs begin."""
SERVER = "server"
"""Who is killed, in a furnace's journal."""
DISCARDED = "given up after the weekend"
"""What people give as the reason when they discard a sample."""
_OFF = 3.0
"""By how much a mean soak temperature [K] may be off what was asked for; the furnaces' noise is below 1 K."""
_OF_ANALYSES = re.compile("no calibration|no licence|it took longer than")
"""Why trials may be quarantined: for what was done to their analyses, and for nothing else."""

Journal = Sequence[Sequence[str]]
"""What a furnace did, in order: who, what, token."""


@dataclass
class Account:
    """What has become of the samples.

    Attributes:
        trials: state, with its cause, to number of trials.
        begun: programs that were begun for campaigns.
        cut_off: trials that people had to give up as the furnace does not remember their program.
        never_begun: the same, as the furnace never heard of it.
        wrong: what must not be, a line each.
    """

    trials: Counter[str] = field(default_factory=Counter)
    begun: int = 0
    cut_off: int = 0
    never_begun: int = 0
    wrong: list[str] = field(default_factory=list)


def judged(stored: Mapping[str, Sequence[TrialRecord]], journals: Sequence[Journal], analyses: int) -> Account:
    """Return what has become of the samples.

    Args:
        stored: campaign to its trials.
        journals: of all furnaces.
        analyses: how many analyses were disturbed.
    """
    account = Account()
    lines = [line for journal in journals for line in journal]
    begun = Counter(token for _, what, token in lines if what == "begin" and not token.startswith(VISITOR))
    done = {token for _, what, token in lines if what == "done"}
    forgotten = {token for journal in journals for token in _forgotten(journal)}
    trials = [(f"{name}, trial {one.number}", one) for name, found in stored.items() for one in found]
    known = {step.job for _, trial in trials for step in trial.steps}
    account.begun = begun.total()
    account.trials = Counter(_state(trial) for _, trial in trials)
    account.wrong += [f"program {token} was begun {count} times" for token, count in begun.items() if count > 1]
    account.wrong += [f"no store knows program {token}" for token in begun if token not in known]
    for name, trial in trials:
        mine = [step.job for step in trial.steps if step.job in begun]
        lost = _is_given_up(trial)
        account.never_begun += lost and not mine
        account.cut_off += lost and bool(mine)
        account.wrong += [f"{name} {text}" for text in _wrong(trial, mine, (done, forgotten))]
    quarantined = sum(trial.state is TrialState.QUARANTINED for _, trial in trials)
    if quarantined > analyses:
        account.wrong.append(f"{quarantined} trials are quarantined, and {analyses} analyses were disturbed")
    return account


def _wrong(trial: TrialRecord, mine: Sequence[str], of_furnaces: tuple[set[str], set[str]]) -> Iterator[str]:
    """Yield what is wrong with a trial.

    Args:
        trial: the trial.
        mine: its programs that were begun.
        of_furnaces: programs that were done, and those that their furnaces do not remember.
    """
    done, forgotten = of_furnaces
    if not trial.state.ended or trial.state is TrialState.UNCERTAIN:
        yield f"is left open: {trial.state.value}"
    if len(mine) > 1:
        yield f"was made {len(mine)} times: {', '.join(mine)}"
    if trial.state is TrialState.COMPLETED and not done.intersection(mine):
        yield "is completed, and no furnace has done it"
    if trial.state is TrialState.COMPLETED and (got := _off(trial)) > _OFF:
        yield f"was learnt with a temperature that is off by {got:.1f} K"
    if trial.state is TrialState.QUARANTINED and not _OF_ANALYSES.search(trial.reason):
        yield f"is quarantined: {trial.reason}"
    if trial.state is TrialState.FAILED:
        yield f"is written off: {trial.reason}"
    if _is_given_up(trial) and mine and not forgotten.intersection(mine):
        yield f"was made, could be read, and is given up: {trial.reason}"


def _is_given_up(trial: TrialRecord) -> bool:
    """Return whether nobody could tell what became of a trial, so that people have discarded it."""
    return trial.state is TrialState.WITHDRAWN


def _off(trial: TrialRecord) -> float:
    """Return how far the temperature of a completed trial is from the one that was asked for, in K."""
    return abs(trial.metrics["soak"].value - float(trial.candidate.parameters["temperature"]))


def _state(trial: TrialRecord) -> str:
    if _is_given_up(trial):
        return "uncertain, and discarded"
    cause = f" ({trial.cause.value})" if isinstance(trial.cause, Cause) else ""
    return f"{trial.state.value}{cause}"


def _forgotten(journal: Journal) -> Iterator[str]:
    """Yield the programs that a furnace does not remember, which keeps the last one while its server lives."""
    latest = ""
    for who, what, token in journal:
        if who == SERVER or (what == "begin" and token.startswith(VISITOR)):
            yield latest
            latest = ""
        if what == "begin":
            latest = token
