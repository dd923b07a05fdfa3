"""The samples of a campaign, for people: a table of all, and the history of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from campaigns.errors import CampaignError, Problem, suggestion
from campaigns.parsing.yaml_lines import read_document
from loop.core.formatting import date_time
from loop.core.samples import SampleRecord, SampleRegister
from loop.terminal.console import Rows, new_table

if TYPE_CHECKING:
    from loop.storage.reader import Reader


def stored_samples(store: Reader) -> SampleRegister:
    """Return the samples of a store's campaign."""
    steps = {step.name: step for step in store.stored_campaign().steps}
    return SampleRegister(steps, store.trials(), store.sample_uses(), store.amendments())


def samples_table(store: Reader) -> Table:
    """Return all samples, one a row."""
    table = new_table("sample", "trial", "mass [mg]", "position", "bar code", "state")
    for one in stored_samples(store).by_id.values():
        mass = "" if one.mass is None else f"{one.mass:.4g}"
        table.add_row(one.id, str(one.trial), mass, one.position or "", one.barcode, _state(one))
    return table


def _state(sample: SampleRecord) -> str:
    return sample.gone or ("in a job" if sample.under_way else "there")


def sample_rows(store: Reader, name: str) -> Rows:
    """Return a sample and its history.

    Raises:
        CampaignError: there is no such sample.
    """
    samples = stored_samples(store)
    if (one := samples.find(name)) is None:
        allowed = ", ".join(samples.by_id) or "none yet"
        raise CampaignError([Problem(name, f"is no sample{suggestion(name, samples.by_id)}; allowed: {allowed}")], "")
    rows = [("sample", f"{one.id} of trial {one.trial}, {_state(one)}")]
    rows += [("split from", one.parent)] if one.parent else []
    rows += [("mass", f"{one.mass:.4g} mg")] if one.mass is not None else []
    rows += [("position", one.position)] if one.position else []
    rows += [("bar code", one.barcode)] if one.barcode else []
    return [*rows, *history_rows(one)]


def history_rows(sample: SampleRecord) -> Iterator[tuple[str, str]]:
    """Yield what happened to a sample: when, what, and by whom."""
    for event in sample.history:
        yield date_time(event.wall), f"{event.text}, {event.by}"


def position_rows(store: Reader) -> Rows:
    """Return what lies at which position; nothing, and at once, in a campaign that names none."""
    if not uses_samples(store):
        return []
    samples = [one for one in stored_samples(store).by_id.values() if not one.gone and one.position]
    found: dict[str, list[str]] = {}
    for one in samples:
        found.setdefault(one.position or "", []).append(one.id)
    return [(f"at {name}", f"sample{'' if len(ids) == 1 else 's'} {', '.join(ids)}") for name, ids in found.items()]


def uses_samples(store: Reader) -> bool:
    """Return whether the campaign says what its steps do with samples."""
    source = read_document(store.campaign().source).data
    flows = [source, *dict(source.get("fidelities") or {}).values()]
    return any("sample" in step for flow in flows for step in flow.get("workflow") or ())
