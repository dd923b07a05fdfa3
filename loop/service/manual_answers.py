"""What ``athanor trial confirm`` and ``fail`` do: write into the journal what became of a manual step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from campaigns.decisions import AnswerStep
from campaigns.errors import suggestion
from campaigns.lab.manual_steps import SD, AskConfig
from campaigns.values import Scalar, TrialState
from loop.core.author import author
from loop.core.formatting import change_text, date_time, trials_text
from loop.core.records import StepRecord, TrialRecord
from loop.service.amendment_parser import pairs, wrong
from loop.service.journal_editor import JournalEditor, numbers, open_journal_editor, split_file_argument
from loop.storage.artefacts import ASKED
from loop.storage.integrity.lease import current_lease


def confirm(words: Sequence[str], url: str | None, reason: str) -> Iterator[str]:
    """Say that a manual step is done; yield what there is to say.

    Args:
        words: number of the trial, each reading as NAME=VALUE, and the campaign file.
        url: of the store, or None.
        reason: what is to be remembered of it.

    Raises:
        CampaignError: nobody waits for such an answer, or a reading is missing or is none.
    """
    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, url, reason)
    number = _one_trial([word for word in rest if "=" not in word], editor)
    yield from _write(editor, answer_step(editor, number, pairs([word for word in rest if "=" in word])))


def answer_step(editor: JournalEditor, number: int, given: Mapping[str, str]) -> AnswerStep:
    """Return the answer that the manual step of a trial is done.

    Args:
        editor: of the campaign.
        number: of the trial.
        given: name of a reading to what was entered, such as ``12.4 mg``, or ``14.2 ± 0.3`` of a metric.

    Raises:
        CampaignError: nobody waits for such an answer, or a reading is missing or is none.
    """
    record = _asked(editor, number)
    asks = editor.campaign.step(record.name).asks
    readings = _readings(asks, dict(_with_sd(given, asks)))
    return AnswerStep(trial=number, token=record.token, outcome="done", readings=readings)


def _with_sd(given: Mapping[str, str], asks: Mapping[str, AskConfig]) -> Iterator[tuple[str, str]]:
    """Yield what was entered; of a metric with its uncertainty, the two apart, each with the unit behind them."""
    for name, text in given.items():
        value, sign, rest = text.replace("+/-", "±").partition("±")
        if not sign or f"{name}{SD}" not in asks:
            yield name, text
            continue
        sd, _, unit = rest.strip().partition(" ")
        yield name, f"{value.strip()} {unit}".strip()
        yield f"{name}{SD}", f"{sd} {unit}".strip()


def fail(words: Sequence[str], url: str | None, reason: str, *, spoilt: bool) -> Iterator[str]:
    """Say that a manual step could not be done; yield what there is to say.

    Args:
        words: number of the trial, and the campaign file.
        url: of the store, or None.
        reason: why.
        spoilt: whether the sample is to blame.

    Raises:
        CampaignError: nobody waits for such an answer.
    """
    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, url, reason)
    number = _one_trial(rest, editor)
    outcome = "spoilt" if spoilt else "failed"
    yield from _write(
        editor, AnswerStep.model_validate({"trial": number, "token": _asked(editor, number).token, "outcome": outcome})
    )


def _one_trial(words: Sequence[str], editor: JournalEditor) -> int:
    chosen = numbers(words)
    if len(chosen) != 1:
        raise wrong("", f"got {len(chosen)} trials; allowed: the number of one, such as 3; {_waiting(editor)}")
    return chosen[0]


def _asked(editor: JournalEditor, number: int) -> StepRecord:
    """Return the manual step of a trial that an answer is waited for.

    Raises:
        CampaignError: there is none, or somebody has answered.
    """
    found = dict(_open_steps(editor))
    if number not in found:
        raise wrong("", f"trial {number} waits for nobody's answer; {_waiting(editor)}")
    record = found[number]
    for one in editor.journal.amendments():
        if isinstance(one.change, AnswerStep) and one.change.token == record.token and not one.refused:
            said = f"{one.author} has answered on {date_time(one.written)}: {one.reason}"
            raise wrong(
                "", f"{record.name} of trial {number} is answered already: {said}; amendment {one.number} holds"
            )
    return record


def asked_trials(editor: JournalEditor) -> set[int]:
    """Return the numbers of the trials of which a person was asked to do a step, and may answer."""
    return {number for number, _ in _open_steps(editor)}


def _open_steps(editor: JournalEditor) -> Iterator[tuple[int, StepRecord]]:
    """Yield number and last step of the trials of which a person has been asked to do something."""
    asked = editor.journal.artefacts(ASKED)
    for trial in editor.journal.trials():
        if trial.steps and trial.steps[-1].token in asked and _unanswered(trial):
            yield trial.number, trial.steps[-1]


def _unanswered(trial: TrialRecord) -> bool:
    return trial.steps[-1].open or trial.state is TrialState.UNCERTAIN


def _waiting(editor: JournalEditor) -> str:
    waiting = [number for number, _ in _open_steps(editor)]
    return f"allowed: {trials_text(waiting) if waiting else 'none, as nothing is asked of anybody'}"


def _readings(asks: Mapping[str, AskConfig], given: Mapping[str, str]) -> dict[str, Scalar]:
    """Return what a person enters, in the units that are asked for."""
    for name in given:
        if name not in asks:
            raise wrong(name, f"is not asked for{suggestion(name, asks)}; allowed: {', '.join(asks) or 'no readings'}")
    if missing := [f"'{name}={ask.example}'" for name, ask in asks.items() if name not in given and not ask.optional]:
        raise wrong("", f"needed: {' '.join(missing)}")
    found: dict[str, Scalar] = {}
    for name, text in given.items():
        try:
            found[name] = asks[name].read(text)
        except ValueError as error:
            raise wrong(name, str(error)) from error
    return found


def _write(editor: JournalEditor, change: AnswerStep) -> Iterator[str]:
    (one,) = editor.journal.amend([change], (author(), editor.reason), {})
    yield f"amendment {one.number}: {change_text(editor.campaign, one.change)}"
    if current_lease(editor.journal.path) is None:
        yield "no run goes on; the next one takes it up"
