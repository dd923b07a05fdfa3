"""What ``athanor station`` does: check what is asked for, and write it into the journal, by which every run goes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from campaigns.decisions import RepeatStandard, SetStation, StationMode
from campaigns.errors import suggestion
from campaigns.lab.lab_file import is_lab_file, load_lab_file
from loop.core.author import author
from loop.core.formatting import change_text, trials_text
from loop.core.records import TrialRecord
from loop.core.standard_runs import unsettled
from loop.core.station_modes import HeldStation, StationOrder, held_stations
from loop.service.amendment_parser import wrong
from loop.service.journal_editor import JournalEditor, check_reason, open_journal_editor, split_file_argument
from loop.storage.artefacts import GIVEN_UP, UNSAFE
from loop.storage.integrity.lease import current_lease
from loop.storage.lab_files.station_ledger import StationLedger, station_ledger
from loop.terminal.requests_view import stored_standards

_MEANS = {
    StationMode.PAUSED: "it begins no new job",
    StationMode.DRAINED: "it begins no new job, and what waits for it goes elsewhere",
    StationMode.OUT: "it is not used",
    StationMode.IN: "it is used again",
}


def set_stations(
    words: Sequence[str], url: str | None, reason: str, mode: StationMode, *, of: StationMode | None = None
) -> Iterator[str]:
    """Hold stations, or take them into use again; yield what there is to say.

    Args:
        words: names of stations, and the campaign file.
        url: of the store, or None.
        reason: why.
        mode: what they are from now on.
        of: what they have to be so far; None for anything.

    Raises:
        CampaignError: there is no such station, or it is not in a mode that allows this.
    """
    names, file = split_file_argument(words)
    if file is not None and url is None and is_lab_file(file):
        yield from _set_for_all(names, file, reason, (mode, of))
        return
    editor = open_journal_editor(file, url, reason)
    ledger = station_ledger(editor.campaign.rules)
    held = held_stations(editor.journal.amendments(), () if ledger is None else ledger.orders)
    _check(names, list(editor.campaign.stations), held, of)
    for name in names:
        yield from _set(editor, ledger, (name, mode), held.get(name))


def repeat_standards(words: Sequence[str], url: str | None, reason: str) -> Iterator[str]:
    """Have stations that were adjusted measure their standards again before their next jobs; yield what to say.

    Raises:
        CampaignError: there is no such station, or it has no standard.
    """
    names, file = split_file_argument(words)
    editor = open_journal_editor(file, url, reason)
    stations = {} if editor.campaign.rules is None else editor.campaign.rules.stations
    for name in _known(names, list(editor.campaign.stations)):
        if name not in stations or stations[name].standard is None:
            having = ", ".join(known for known, one in stations.items() if one.standard is not None)
            raise wrong(name, f"has no calibration standard; allowed: {having or 'none, as no station has one'}")
    for name in names:
        change = RepeatStandard(station=name)
        (one,) = editor.journal.amend([change], (author(), reason), {}, first=editor.journal.count())
        text = change_text(editor.campaign, change)
        yield f"amendment {one.number}: {text}: its standard is measured again before its next job"
    if current_lease(editor.journal.path) is None:
        yield "no run goes on; the next one goes by it"


def _set_for_all(
    names: Sequence[str], file: Path, reason: str, modes: tuple[StationMode, StationMode | None]
) -> Iterator[str]:
    """Hold stations of a lab file, or take them into use again, for all campaigns on it; yield what there is to say."""
    check_reason(reason)
    mode, of = modes
    rules = load_lab_file(file)
    if (ledger := station_ledger(rules)) is None:
        raise wrong(str(file), "its instruments are simulated, each campaign's own; name the campaign file")
    held = held_stations((), ledger.orders)
    _check(names, list(rules.stations), held, of)
    for name in names:
        one = held.get(name)
        if (StationMode.IN if one is None else one.mode) is mode:
            yield f"{name} is {'in use' if one is None else one.text} already; nothing was changed"
            continue
        ledger.add(StationOrder(name, mode, author(), time.time(), reason))
        yield f"{name} is {mode}: {_MEANS[mode]}, in all campaigns on {file}"


def _check(names: Sequence[str], known: Sequence[str], held: Mapping[str, HeldStation], of: StationMode | None) -> None:
    """Check that there are such stations, and that they are so far as an order needs it.

    Raises:
        CampaignError: there is no such station, or it is in another mode.
    """
    for name in _known(names, known):
        if of is not None and name in held and held[name].mode is not of:
            raise wrong(name, f"is {held[name].text}; allowed: one that is {of}; use 'athanor station in {name}'")


def _known(names: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    """Return the names of stations; each has to be a known one."""
    if not names:
        raise wrong("", f"got no station; allowed: {', '.join(known)}")
    for name in names:
        if name not in known:
            raise wrong(name, f"is no station{suggestion(name, known)}; allowed: {', '.join(known)}")
    return names


def _set(
    editor: JournalEditor, ledger: StationLedger | None, order: tuple[str, StationMode], held: HeldStation | None
) -> Iterator[str]:
    """Write into the journal how a station is used, unless it is so already; yield what there is to say."""
    journal, (name, mode) = editor.journal, order
    settles = [UNSAFE] if mode is StationMode.OUT else [GIVEN_UP, UNSAFE] if mode is StationMode.IN else []
    settled = [kind for kind in settles if journal.artefacts(kind, name)]
    before = StationMode.IN if held is None else held.mode
    off = [run for run in unsettled(stored_standards(journal), journal.amendments()) if run.station == name]
    if before is mode and not settled and not (off and settles):
        yield f"{name} is {'in use' if held is None else held.text} already; nothing was changed"
        return
    change = SetStation(station=name, mode=mode)
    if ledger is not None and before is not mode:
        ledger.add(StationOrder(name, mode, author(), time.time(), editor.reason))
    (one,) = journal.amend([change], (author(), editor.reason), {}, first=journal.count())
    for kind in settled:
        journal.drop(kind, name)
    yield f"amendment {one.number}: {change_text(editor.campaign, change)}: {_MEANS[mode]}"
    if ledger is not None and before is not mode:
        yield f"so it is in all campaigns on {ledger.path.parent.with_suffix('.yaml').name}"
    if there := [trial.number for trial in journal.trials() if _under_way(trial, name)]:
        yield f"{trials_text(there)} under way there: 'athanor abort TRIAL' would end that"
    if current_lease(journal.path) is None:
        yield "no run goes on; the next one goes by it"


def _under_way(trial: TrialRecord, station: str) -> bool:
    return any(step.station == station and step.open for step in trial.steps)
