"""What ``athanor weights``, ``space`` and ``trial`` do: check what is asked for, and write it into the journal.

They write beside a run that goes on, which takes over what it finds before its next proposal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from campaigns.amendments import AddTrial, CampaignChange, Change, SetWeights
from campaigns.campaign import Campaign
from campaigns.decisions import ReleaseTrial, Settlement
from campaigns.parsing.yaml_lines import read_document
from campaigns.relative_paths import PARENT
from campaigns.user_code.module_files import open_folder
from loop.core.author import author
from loop.core.candidate_results import best, results
from loop.core.formatting import NOTHING_MEASURED, best_text, change_text
from loop.core.journal import changes_of
from loop.execution.decisions.pending_amendments import check_candidate, checked, rescored
from loop.execution.decisions.settlement_rules import check_settlement
from loop.service.amendment_parser import AmendmentParser, candidate, wrong
from loop.storage.journal_writer import Journal
from loop.storage.paths import open_journal
from loop.validation.limit_checks import kept_limits


@dataclass(frozen=True)
class JournalEditor:
    """Where an operator writes: a journal, and the campaign that it amends.

    Attributes:
        campaign: of the file, as the last run took it.
        before: the current changes, and those that wait.
        reason: why anything is written.
        folder: of the campaign file.
    """

    journal: Journal
    campaign: Campaign
    before: Sequence[CampaignChange]
    reason: str
    folder: Path

    @property
    def parser(self) -> AmendmentParser:
        """What reads the operator's words."""
        return AmendmentParser(self.campaign, self.before)


def split_file_argument(words: Sequence[str]) -> tuple[list[str], Path | None]:
    """Return the words of a command without the campaign file among them, and that file if there is one."""
    files = [word for word in words if "=" not in word and word.endswith((".yaml", ".yml"))]
    if len(files) > 1:
        raise wrong("", f"got the files {', '.join(files)}; allowed: one campaign file")
    return [word for word in words if word not in files], Path(files[0]) if files else None


def check_reason(reason: str) -> None:
    """Check that there is a reason.

    Raises:
        CampaignError: there is none.
    """
    if not reason.strip():
        raise wrong("--reason", "is empty; needed: why, in a few words, for those who read the journal")


def open_journal_editor(file: Path | None, store: str | None, reason: str) -> JournalEditor:
    """Open the journal of a campaign that was begun.

    Raises:
        CampaignError: no reason is given.
        StoreError: there is no store.
    """
    check_reason(reason)
    journal = open_journal(file, store)
    folder = (file or journal.path).absolute().parent
    open_folder(folder)  # modules beside the campaign can be named in it
    data = read_document(journal.campaign().source).data
    campaign = Campaign.model_validate(data, context={PARENT: folder})
    return JournalEditor(journal, campaign, changes_of(journal.amendments()), reason, folder)


def amend(editor: JournalEditor, changes: Sequence[CampaignChange]) -> list[str]:
    """Check changes one after the other, write them into the journal, and say what was done.

    Where the score changes, past trials are scored again at once.

    Raises:
        CampaignError: a change is impossible, or leads out of the limits of an instrument.
    """
    limits, held, campaign = kept_limits(editor.journal), list(editor.before), editor.campaign
    for change in changes:
        held.append(change)
        campaign = checked(editor.campaign, held, limits)
    ranked = any(isinstance(change, SetWeights) for change in changes)
    scores = rescored(campaign, editor.journal.trials()) if ranked else {}
    written = editor.journal.amend(changes, (author(), editor.reason), scores)
    said = [f"amendment {one.number}: {change_text(campaign, one.change)}" for one in written]
    if ranked:
        found = results(campaign.build_objective(), editor.journal.trials())
        said += [f"{len(scores)} trials scored again; {best_text(best(found)) if found else NOTHING_MEASURED}"]
    if not limits:
        said += ["the limits of the instruments are not known yet: the next run checks them"]
    return [*said, "takes effect at the next proposal, in this run or the next"]


def add_trial(editor: JournalEditor, given: Mapping[str, str]) -> list[str]:
    """Ask for a trial, and say what was done.

    Raises:
        CampaignError: there is no such candidate in the current space.
    """
    asked = candidate(editor.parser.now, given)
    if why := check_candidate(editor.parser.now, asked) or _unknown(editor.campaign, asked.material):
        raise wrong("trial", why)
    change: Change = AddTrial(parameters=dict(asked.parameters), material=asked.material)
    (written,) = editor.journal.amend([change], (author(), editor.reason), {})
    text = f"amendment {written.number}: {change_text(editor.parser.now, change)}"
    return [text, "is run next, by a run that goes on or by the next one, as long as the budget lasts"]


def settle(editor: JournalEditor, *changes: Settlement) -> Iterator[str]:
    """Ask for trials to be settled, all or none; what is returned does so where no run goes on, and tells of it.

    Raises:
        CampaignError: one of them cannot be settled so.
    """
    if not changes:
        raise wrong("", "got no trial; allowed: numbers of trials, such as 3, or 5-8 for several")
    trials = editor.journal.trials()
    if why := "; ".join(filter(None, (check_settlement(change, trials) for change in changes))):
        raise wrong("", why)
    from loop.execution.decisions.offline_settlements import (  # slow: it loads what analyses
        build_analyst,
        settle_offline,
    )

    if any(isinstance(change, ReleaseTrial) for change in changes):
        build_analyst(editor.campaign, editor.journal)  # what cannot be loaded leaves nothing that waits
    editor.journal.amend(changes, (author(), editor.reason), {})

    return settle_offline(editor.campaign, editor.journal.path)


def numbers(words: Sequence[str]) -> list[int]:
    """Return the numbers of trials that words such as ``3``, ``0,2`` and ``5-8`` name.

    Raises:
        CampaignError: they name none.
    """
    found: list[int] = []
    for word in ",".join(words).split(",") if words else []:
        first, _, last = word.replace("..", "-").partition("-")
        last = last or first
        if not all(n.isascii() and n.isdigit() for n in (first, last)) or int(last) < int(first):
            raise wrong("", f"got {word!r}; allowed: numbers of trials, such as 3, or 5-8 for several")
        found += range(int(first), int(last) + 1)
    return list(dict.fromkeys(found))


def _unknown(campaign: Campaign, material: str | None) -> str:
    """Return that the pool has no such material; empty if it has."""
    if campaign.space.pool is None or material is None:
        return ""
    from surrogates.pools.pool import load_pool  # slow, and only for campaigns with a pool

    why = load_pool(campaign.space.pool).lacks(material)
    return f"{why}; 'athanor pool show FILE' tells what it holds" if why else ""
