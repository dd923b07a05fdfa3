"""Earlier measurements, read from the stores and tables that a campaign names, and held to what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, Problem, StoreError, UnitError
from campaigns.history import Lacks
from campaigns.tables.unused_rows import Remark
from campaigns.warm_start import (
    Record,
    Source,
    StoreSourceConfig,
    TableSourceConfig,
    Wanted,
    read_source_table,
    with_enough_measurements,
)
from loop.core.campaign_version import parameter_units
from loop.core.records import TrialRecord
from loop.core.trial_selection import trusted
from loop.storage.artefacts import SOURCE
from loop.storage.reader import Reader
from loop.storage.row_outcomes import tally
from loop.storage.store import Store


def read_sources(campaign: Campaign) -> list[Source]:
    """Return what the campaign's sources hold.

    Raises:
        CampaignError: sources that cannot be read, or lack something, all of them, each with what to do.
    """
    found, problems = [], []
    wanted = Wanted.by(campaign.space, campaign.measured)
    for i, config in enumerate(campaign.warm_start):
        try:
            found.append(
                with_enough_measurements(config, f"warm_start[{i}]", read_source(config, wanted, f"warm_start[{i}]"))
            )
        except CampaignError as error:
            problems += error.problems
    if problems:
        raise CampaignError(problems, campaign.name)
    return found


def of_pool(source: Source, lacks: Lacks) -> Source:
    """Return a source without the measurements of materials that the pool lacks, each with the reason.

    Args:
        lacks: tells what the pool has not.
    """
    why = [lacks(record.candidate.material or "") for record in source.records]
    places = [place if record.row is None else record.row for place, record in enumerate(source.records, 1)]
    out = [Remark(place, reason) for place, reason in zip(places, why, strict=True) if reason]
    kept = tuple(record for record, reason in zip(source.records, why, strict=True) if not reason)
    return replace(source, records=kept, left_out=tuple(sorted((*source.left_out, *out), key=lambda each: each.row)))


def keep_sources(sources: Sequence[Source], store: Store) -> None:
    """Keep what the models use of each source, or check that it is still what the store was begun with.

    Raises:
        StoreError: a source has changed.
    """
    kept = store.artefacts(SOURCE)
    for source in sources:
        counts = {"records": len(source.records), "metrics": list(source.metrics)}
        body = {"digest": source.digest, **counts, "tally": tally(source)}
        if source.name not in kept:
            store.keep(SOURCE, source.name, body)
        elif kept[source.name]["digest"] != source.digest:
            raise StoreError(
                f"warm_start: {source.name} has changed since the campaign began: {kept[source.name]['records']} "
                f"measurements then, {len(source.records)} now; put back what it was (copy a store that still grows), "
                "or start afresh with --store"
            )


def read_source(config: StoreSourceConfig | TableSourceConfig, wanted: Wanted, where: str) -> Source:
    """Return what a store or a table holds, however little that is.

    Raises:
        CampaignError: it cannot be read, or lacks something.
    """
    match config:
        case TableSourceConfig():
            return read_source_table(config, wanted, where)
        case StoreSourceConfig():
            return _read_store(config, wanted, where)


def _read_store(config: StoreSourceConfig, wanted: Wanted, where: str) -> Source:
    """Return the completed trials of a store, without suspected outliers.

    Raises:
        CampaignError: it cannot be read, lacks a parameter, or has one in another kind of unit.
    """
    metrics = config.metrics or tuple(wanted.units)
    try:
        reader = Reader(f"sqlite:///{config.path}")
        units = parameter_units(reader.campaign().source)
        lacking = [name for name in wanted.space.all_parameters if name not in units]
        if lacking:
            hint = "write it as a table (athanor trials --csv), add the columns with the values that were used"
            raise CampaignError(
                [Problem(f"{where}.file", f"{config.file} has no parameter {', '.join(lacking)}; {hint}")]
            )
        remarks: list[Remark] = []
        records = [
            r for t in trusted(reader.trials()) if (r := _record(t, units, (wanted, metrics), remarks)) is not None
        ]
    except (StoreError, UnitError) as error:
        raise CampaignError([Problem(f"{where}.file", f"{config.file}: {error}")]) from error
    return Source(config.name, metrics, tuple(records), remarks=tuple(remarks))


def _record(
    trial: TrialRecord, units: dict[str, str], asked: tuple[Wanted, Sequence[str]], remarks: list[Remark]
) -> Record | None:
    """Return what a trial has of the metrics that are asked for, or None; add to the remarks what is implausible."""
    wanted, metrics = asked
    candidate = wanted.candidate(trial.candidate.parameters, units, trial.candidate.material or "")
    known = {n: trial.metrics[n] for n in metrics if n in trial.metrics}
    found = {n: v for n, m in known.items() if (v := wanted.metric(n, m.value, m.sd, m.unit)) is not None}
    for name, why in [(n, wanted.implausible(n, m.value, m.sd)) for n, m in found.items()]:
        if why:
            remarks.append(Remark(trial.number, f"{name} {why}"))
            del found[name]
    return Record(candidate, found) if candidate is not None and found else None
