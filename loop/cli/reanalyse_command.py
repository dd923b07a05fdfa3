"""What ``athanor trial reanalyse`` does: ask for raw data to be analysed anew, and do so where no run goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from campaigns.decisions import ReanalyseTrial
from campaigns.values import Cause, TrialState
from loop.core.author import author
from loop.core.records import TrialRecord
from loop.execution.decisions.offline_settlements import build_analyst, settle_offline
from loop.execution.decisions.settlement_rules import check_settlement
from loop.service.amendment_parser import wrong
from loop.service.journal_editor import JournalEditor, numbers


def reanalyse(editor: JournalEditor, words: Sequence[str]) -> Iterator[str]:
    """Ask for trials to be analysed anew, and do so at once where no run goes on; yield what there is to say.

    Args:
        editor: where to write.
        words: numbers of trials; none for all that are in quarantine because of their analysis, or failed as it gave no
            number.

    Raises:
        CampaignError: there is no such trial, or no raw data of it.
        AnalysisError: none of them can be analysed.
    """
    trials = editor.journal.trials()
    chosen = numbers(words) or [t.number for t in trials if _faulty(t)]
    if not chosen:
        yield "no trial is in quarantine or has failed because of its analysis; name those that are to be analysed anew"
        return
    changes = [ReanalyseTrial(trial=number) for number in chosen]
    for change in changes:
        if why := check_settlement(change, trials):
            raise wrong("", why)
    build_analyst(editor.campaign, editor.journal)  # what cannot be loaded leaves nothing that waits
    editor.journal.amend(changes, (author(), editor.reason), {})
    yield from settle_offline(editor.campaign, editor.journal.path)


def _faulty(trial: TrialRecord) -> bool:
    """Return whether a bug in an analysis may be why a trial gave nothing: it raised an error, or gave no number."""
    if trial.state is TrialState.FAILED:
        return bool(trial.missing and trial.acquired)
    return trial.state is TrialState.QUARANTINED and trial.cause is Cause.ANALYSIS
