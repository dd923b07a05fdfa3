"""What ``athanor sample`` does: check what people have done with a sample, and write it into the journal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from campaigns.decisions import DescribeSample, DiscardTrial, LoseSample, MoveSample, SampleChange, SplitSample
from campaigns.errors import UnitError, suggestion
from campaigns.units import to_unit
from loop.core.author import author
from loop.core.formatting import change_text
from loop.core.samples import BARCODE, MASS, SampleRecord, SampleRegister
from loop.execution.decisions.settlement_rules import check_settlement
from loop.service.amendment_parser import pairs, wrong
from loop.service.journal_editor import JournalEditor, open_journal_editor, settle, split_file_argument
from loop.storage.lab_files.shared_positions import occupied, shared_positions

_MOST_PARTS = 100


def move_sample(words: Sequence[str], url: str | None, reason: str) -> Iterator[str]:
    """Say that a sample lies at another position; yield what there is to say.

    Raises:
        CampaignError: there is no such sample or position, or it is full.
    """
    editor, (name, position) = _opened(words, url, reason, "SAMPLE POSITION")
    samples = samples_of(editor)
    sample = _there(name, samples)
    positions = {} if editor.campaign.rules is None else editor.campaign.rules.positions
    if position not in positions:
        allowed = ", ".join(positions) or "none, as no lab file declares positions"
        raise wrong(position, f"is no position{suggestion(position, positions)}; allowed: {allowed}")
    others = [one.id for one in samples.at(position) if one.id != sample.id]
    capacity = positions[position].capacity
    if capacity is not None and len(others) >= capacity:
        raise wrong(position, f"is full: {', '.join(others)}; move one of them first, or say that it is lost")
    yield from _write(editor, MoveSample(sample=sample.id, position=position))


def describe_sample(words: Sequence[str], url: str | None, reason: str) -> Iterator[str]:
    """Say what a sample weighs, and which bar code it has; yield what there is to say.

    Raises:
        CampaignError: there is no such sample, the mass is none, or another sample has the bar code.
    """
    rest, file = split_file_argument(words)
    names, given = [word for word in rest if "=" not in word], pairs([word for word in rest if "=" in word])
    unknown = [name for name in given if name not in (MASS, BARCODE)]
    if len(names) != 1 or not given or unknown:
        raise wrong(
            "", f"got {' '.join(rest) or 'nothing'}; allowed: SAMPLE '{MASS}=18.2 mg' {BARCODE}=A17, one or both"
        )
    editor = open_journal_editor(file, url, reason)
    samples = samples_of(editor)
    sample, barcode = _there(names[0], samples), given.get(BARCODE)
    if barcode is not None and (not barcode.strip() or barcode in samples.by_id):
        raise wrong(BARCODE, f"got {barcode!r}; allowed: a text that is not the id of a sample")
    holder = samples.find(barcode) if barcode is not None else None
    if holder is not None and holder.id != sample.id and not holder.gone:
        raise wrong(BARCODE, f"{barcode} is that of sample {holder.id}; allowed: one that no other sample has")
    mass = _mass(given[MASS]) if MASS in given else None
    yield from _write(editor, DescribeSample(sample=sample.id, mass=mass, barcode=barcode))


def _mass(text: str) -> float:
    """Return a mass in mg.

    Raises:
        CampaignError: it is none.
    """
    try:
        found = to_unit(text, "mg")
    except (UnitError, ValueError) as error:
        raise wrong(MASS, str(error)) from error
    if not 0.0 < found < math.inf:
        raise wrong(MASS, f"got {text}; allowed: more than 0 mg")
    return found


def split_sample(words: Sequence[str], url: str | None, reason: str) -> Iterator[str]:
    """Say that a sample was divided into equal parts; yield what there is to say.

    Raises:
        CampaignError: there is no such sample, or no such number of parts.
    """
    editor, (name, parts) = _opened(words, url, reason, "SAMPLE PARTS")
    sample = _there(name, samples_of(editor))
    if not (parts.isascii() and parts.isdigit()) or not 2 <= int(parts) <= _MOST_PARTS:
        raise wrong(parts, f"is no number of parts; allowed: 2 to {_MOST_PARTS}")
    if sample.under_way:
        raise wrong(name, "is in a job now; wait for its end, or give it up with 'athanor abort'")
    yield from _write(editor, SplitSample(sample=sample.id, parts=int(parts)))
    yield f"{sample.id}.1 goes on; another part takes its place where it is lost"


def lose_sample(words: Sequence[str], url: str | None, reason: str) -> Iterator[str]:
    """Say that a sample is lost, and with the last one of a trial the trial; yield what there is to say.

    Raises:
        CampaignError: there is no such sample.
    """
    editor, (name,) = _opened(words, url, reason, "SAMPLE")
    samples = samples_of(editor)
    sample = _there(name, samples)
    yield from _write(editor, LoseSample(sample=sample.id))
    others = [one for one in samples.of_trial(sample.trial) if not one.gone and one.id != sample.id]
    discard = DiscardTrial(trial=sample.trial)
    if others:
        yield f"trial {sample.trial} goes on with sample {others[0].id}"
    elif not check_settlement(discard, editor.journal.trials()):
        yield from settle(editor, discard)


def samples_of(editor: JournalEditor) -> SampleRegister:
    """Return the samples of a campaign as they are now."""
    journal, steps = editor.journal, {step.name: step for step in editor.campaign.steps}
    return SampleRegister(steps, journal.trials(), journal.sample_uses(), journal.amendments())


def _opened(words: Sequence[str], url: str | None, reason: str, wanted: str) -> tuple[JournalEditor, list[str]]:
    rest, file = split_file_argument(words)
    if len(rest) != len(wanted.split()):
        raise wrong("", f"got {' '.join(rest) or 'nothing'}; allowed: {wanted}")
    return open_journal_editor(file, url, reason), rest


def _there(name: str, samples: SampleRegister) -> SampleRecord:
    """Return a sample that is not gone."""
    there = [one.id for one in samples.by_id.values() if not one.gone]
    found = samples.find(name)
    if found is None or found.gone:
        what = "is no sample" if found is None else f"is {found.gone}"
        raise wrong(name, f"{what}{suggestion(name, there)}; allowed: {', '.join(there) or 'none, as none is there'}")
    return found


def _write(editor: JournalEditor, change: SampleChange) -> Iterator[str]:
    journal = editor.journal
    (one,) = journal.amend([change], (author(), editor.reason), {}, first=journal.count())
    rules = editor.campaign.rules
    if rules is not None and rules.positions and not rules.is_simulated:  # a run does so by itself, once it looks
        shared = shared_positions(editor.campaign, journal.campaign())
        shared.publish(occupied(samples_of(editor), rules.positions))
    yield f"amendment {one.number}: {change_text(editor.campaign, change)}"
