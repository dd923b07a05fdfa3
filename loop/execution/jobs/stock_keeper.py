"""What the jobs of a session use up, and which has to wait as there is not enough."""

from __future__ import annotations

from campaigns.campaign import Campaign
from campaigns.lab.consumables import used_amount
from campaigns.lab.laboratory import StepConfig
from campaigns.values import TrialState
from loop.core.records import TrialRecord
from loop.execution.jobs.holds import Held, PossibleJob
from loop.storage.lab_files.stock_ledger import StockLedger, remaining


class StockKeeper:
    """Keeps the ledger of consumables in step with the jobs: each uses what it needs once, if it has moved anything.

    Args:
        campaign: steps, and the lab file.
    """

    def __init__(self, campaign: Campaign) -> None:
        self._campaign, rules = campaign, campaign.rules
        counted = rules is not None and any(step.uses for step in campaign.steps)
        self._ledger = StockLedger(rules.path, rules.consumables) if counted and rules is not None else None
        self._seen: object = None
        self._low: set[str] = set()

    def settle(self, trial: TrialRecord) -> None:
        """Note what the jobs of a trial have used; what an attempt that moved nothing had taken is given back."""
        if self._ledger is None:
            return
        known = self._ledger.now()
        names = {step.name: step for step in self._campaign.steps}
        for record in trial.steps:
            step = names.get(record.name)
            if step is None or not step.uses:
                continue
            by, token = f"{self._campaign.name}: {record.name} of trial {trial.number}", record.token
            if record.state is TrialState.WITHDRAWN:
                if any(one.used.get(token, 0.0) > 0 for one in known.values()):
                    self._ledger.give_back(token, by)
            elif any(token not in known[name].used for name in step.uses):
                self._ledger.take(token, self._amounts(step, trial), by)

    def runs_low(self) -> list[str]:
        """Return what is said of consumables that steps use and that run low now, once until they are refilled."""
        known = {} if self._ledger is None else self._ledger.now()
        used = {name for step in self._campaign.steps for name in step.uses}
        low = {name: one for name, one in known.items() if name in used and one.low_since is not None}
        new, self._low = low.keys() - self._low, set(low)
        advice = "'athanor requests' has the command for when it is refilled"
        return [
            f"{name} runs low: {one.text} left, reordered below {one.limit_text}; {advice}"
            for name, one in low.items()
            if name in new
        ]

    def hold(self, job: PossibleJob) -> Held | None:
        """Return of what there is not enough for a job; None if there is of all."""
        if self._ledger is None or not job.step.uses or job.attaches:
            return None
        self._seen = self._state()
        known = self._ledger.now()
        taken = {record.token for record in job.trial.steps if record.name == job.step.name and record.open}
        for name, amount in self._amounts(job.step, job.trial).items():
            one = known[name]
            if remaining(one.left, amount) < 0 and not taken & one.used.keys():
                unit = "" if one.unit == "1" else f" {one.unit}"
                text = f"{job.step.name} uses {amount:.6g}{unit} of {name}, and {one.text} are left"
                ways = ((f"consumable refill {name} AMOUNT", f"{name} was refilled"),)
                return Held(text, asks=True, ways=ways, about="refill")
        return None

    def with_enough(self, step: StepConfig, trials: list[TrialRecord]) -> list[TrialRecord]:
        """Return the first of some trials for which there is enough together."""
        if self._ledger is None or not step.uses:
            return trials
        left = {name: one.left for name, one in self._ledger.now().items()}
        found: list[TrialRecord] = []
        for trial in trials:
            for name, amount in self._amounts(step, trial).items():
                left[name] = remaining(left[name], amount)
            if found and min(left[name] for name in step.uses) < 0:
                break
            found.append(trial)
        return found

    @property
    def is_behind(self) -> bool:
        """Whether the ledger has changed since a job was held; told once."""
        behind = self._seen is not None and self._seen != self._state()
        self._seen = None if behind else self._seen
        return behind

    def _state(self) -> object:
        """Return what changes with the ledger."""
        path = None if self._ledger is None else self._ledger.path
        if path is None or not path.exists():
            return ()
        found = path.stat()
        return found.st_size, found.st_mtime_ns

    def _amounts(self, step: StepConfig, trial: TrialRecord) -> dict[str, float]:
        consumables = {} if self._ledger is None else self._ledger.consumables
        parameters = trial.candidate.parameters
        return {name: used_amount(consumables[name], given, parameters) for name, given in step.uses.items()}
