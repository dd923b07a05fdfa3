"""What a report is made of: all that is read from the store, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from campaigns.campaign import Campaign
from campaigns.objective import Objective
from campaigns.spaces.parameters import CategoricalConfig
from loop.core.campaign_records import CampaignRecord, SessionRecord, time_spent
from loop.core.campaign_version import as_shown
from loop.core.candidate_results import CandidateResult, best, results
from loop.core.inspection_cards import ModelInspection
from loop.core.journal import Amendment, weights_version
from loop.core.pareto import Front, front_of
from loop.core.records import PosteriorBest, TrialRecord
from loop.core.samples import SampleRecord, SampleRegister, are_told_of
from loop.core.standard_runs import StandardRun, with_doubts
from loop.core.stopping import Spent, spent
from loop.diagnostics.calibration import Pair, metric_pairs, score_pairs
from loop.storage.artefacts import STANDARD_RUN
from loop.storage.campaign_status import model_text
from loop.storage.lab_files.stock_ledger import Stock
from loop.storage.pool_snapshot import MATERIAL, POOL, MaterialSnapshot, PoolSnapshot
from loop.storage.stored_laboratory import stored_stocks

if TYPE_CHECKING:
    from loop.storage.reader import Reader

NOT_ASKED = ModelInspection(missing="this report was written without them")
"""What the models say where nobody asked them."""


@dataclass(frozen=True)
class Content:
    """What a report is made of.

    Attributes:
        now: the latest lab time known, in seconds.
        pool: what the store keeps of the pool; None where it keeps nothing.
        pictures: proposed material to what the store keeps of it.
        amendments: what was changed while the campaign lived.
        model: what is said of the best measured candidate by the models' posterior; empty where a front is looked for.
        posterior: that candidate, with the 95 % interval of its score; None while there is none.
        earlier_weights: whether that score is by weights that were amended since.
        inspection: what the models say of the space.
        samples: what became of each, where steps or people say what they do with them.
        standards: what stations gave for their calibration standards.
        stocks: consumable to how much the laboratory has of it, where steps use any.
    """

    record: CampaignRecord
    campaign: Campaign
    trials: Sequence[TrialRecord]
    sessions: Sequence[SessionRecord]
    now: float
    pool: PoolSnapshot | None
    pictures: Mapping[str, MaterialSnapshot]
    amendments: Sequence[Amendment] = ()
    model: str = ""
    posterior: PosteriorBest | None = None
    earlier_weights: bool = False
    inspection: ModelInspection = NOT_ASKED
    standards: Sequence[StandardRun] = ()
    samples: Sequence[SampleRecord] = ()
    stocks: Mapping[str, Stock] = field(default_factory=dict)

    @cached_property
    def objective(self) -> Objective:
        """The campaign's objective."""
        return self.campaign.build_objective()

    @cached_property
    def front(self) -> Front | None:
        """The best compromises, where a front is looked for."""
        return front_of(self.campaign, self.trials)

    @cached_property
    def found(self) -> list[CandidateResult]:
        """The candidates that were measured, in the order in which they were first completed."""
        return results(self.objective, self.trials)

    @cached_property
    def best(self) -> CandidateResult | None:
        """The best measured candidate, by its pooled score."""
        return best(self.found)

    @cached_property
    def units(self) -> dict[str, str]:
        """Parameter to unit; empty for a categorical one."""
        parameters = self.campaign.space.all_parameters.items()
        return {name: "" if isinstance(p, CategoricalConfig) else p.unit for name, p in parameters}

    @cached_property
    def used(self) -> Spent:
        """What is spent of the budget."""
        return spent(self.trials, time_spent(self.sessions))

    @cached_property
    def pairs(self) -> dict[str, list[Pair]]:
        """Metric, and the score, to its predictions and measurements, where there are any."""
        names = [*self.campaign.measured, *self.objective.derived]
        found = {name: metric_pairs(self.trials, name) for name in names} | {"score": score_pairs(self._alike)}
        return {name: pairs for name, pairs in found.items() if pairs}

    @property
    def _alike(self) -> list[TrialRecord]:
        """The trials whose score was predicted by the current weights."""
        return [t for t in self.trials if t.proposal.version >= weights_version(self.amendments)]


def read_content(reader: Reader) -> Content:
    """Read all that the report needs; the campaign file's text was validated when the campaign began.

    Raises:
        StoreError: the store holds no campaign, or one of a version with another format.
    """
    campaign, record, sessions = reader.stored_campaign(), reader.campaign(), reader.sessions()
    now = max((change.lab for change in reader.transitions()), default=0.0)
    pool = next((PoolSnapshot.of(kept) for kept in reader.artefacts(POOL).values()), None)
    pictures = {name: MaterialSnapshot.read(kept) for name, kept in reader.artefacts(MATERIAL).items()}
    amendments = reader.amendments()
    shown, trials = as_shown(campaign, amendments), reader.trials()
    runs = sorted(
        (StandardRun(**kept) for kept in reader.artefacts(STANDARD_RUN).values()),
        key=lambda run: (run.station, run.number),
    )
    trials = with_doubts(trials, runs, amendments)
    content = Content(record, shown, trials, sessions, now, pool, pictures, amendments)
    uses = any(step.uses for step in campaign.steps)
    content = replace(content, standards=runs, stocks=stored_stocks(reader) if uses else {})
    if are_told_of(campaign.steps, amendments):
        steps = {step.name: step for step in campaign.steps}
        found = SampleRegister(steps, trials, reader.sample_uses(), amendments)
        content = replace(content, samples=list(found.by_id.values()))
    if content.front is not None:
        return content
    kept = reader.posterior_best()
    said = model_text(reader, content.found, content.units)
    posterior, version = kept or (None, 0)
    earlier = posterior is not None and version != weights_version(amendments)
    return replace(content, model=said, posterior=posterior, earlier_weights=earlier)
