"""What ``athanor abort`` and ``athanor stop --after`` do: tell the run that goes on, by the journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from campaigns.decisions import AbortTrial, StopRun
from loop.core.author import author
from loop.core.formatting import change_text, trial_numbers
from loop.service.amendment_parser import wrong
from loop.service.journal_editor import open_journal_editor
from loop.storage.integrity.lease import current_lease

_AT_ONCE = "the run that goes on does it within a second"


def abort_trial(number: int, file: Path | None, url: str | None, reason: str) -> Iterator[str]:
    """Ask for the job of a trial to be aborted; yield what there is to say.

    Raises:
        CampaignError: no job of it is under way.
    """
    editor = open_journal_editor(file, url, reason)
    trials = editor.journal.trials()
    if number >= len(trials):
        raise wrong("", f"got trial {number}; allowed: {trial_numbers(len(trials))}")
    if not any(step.open for step in trials[number].steps):
        advice = "to settle it, 'athanor trial withdraw' or 'athanor trial discard'"
        raise wrong("", f"trial {number} is {trials[number].state}; allowed: one with a job under way; {advice}")
    (one,) = editor.journal.amend([AbortTrial(trial=number)], (author(), reason), {})
    yield f"amendment {one.number}: {change_text(editor.campaign, one.change)}"
    if current_lease(editor.journal.path) is not None:
        yield _AT_ONCE
        station = next(step.station for step in trials[number].steps if step.open)
        named = quote(str(file or editor.journal.path.with_suffix(".yaml").name))
        named = f"--store {quote(url)}" if url else named
        hold = f"athanor station pause {station} {named} --reason 'WHY'"
        yield f"the next trial may begin there at once; to hold the station: {hold}"
        return
    yield "no run goes on, which could tell the instrument: the next one does it as soon as it has taken up the job"
    yield f"if the sample is lost, 'athanor trial discard {number}' settles it now"


def stop_after(after: str, file: Path | None, url: str | None, reason: str) -> Iterator[str]:
    """Ask the run that goes on to end after its current steps, or trials; yield what there is to say.

    Raises:
        CampaignError: no run goes on.
    """
    editor = open_journal_editor(file, url, reason)
    if current_lease(editor.journal.path) is None:
        raise wrong(editor.campaign.name, "no run of this campaign goes on; nothing is to be stopped")
    (one,) = editor.journal.amend([StopRun.model_validate({"after": after})], (author(), reason), {})
    yield f"amendment {one.number}: {change_text(editor.campaign, one.change)}"
    yield _AT_ONCE
