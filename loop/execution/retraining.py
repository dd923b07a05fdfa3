"""Fine-tuning of a trained model on the campaign's own data, while the campaign goes on.

When it begins, on which measurements, and when its result is due are functions of the number of completed trials, so
that a campaign that was killed does the same again. A result that is late is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from campaigns.campaign import Campaign
from campaigns.metrics import TrainedPriorConfig
from campaigns.surrogate import RetrainConfig
from loop.core.records import TrialRecord
from loop.planning.model_fitter import ModelFitter
from surrogates.pools.pool import Pool
from surrogates.predictors.trained import prior_values
from surrogates.training.fine_tune_process import Tuning, TuningResult, TuningRow, TuningTask, start

_DUE = 5
"""Further completed trials after which the result of a tuning counts. Not tuned: on one core a tuning takes as long as
a few trials of the virtual lab, and a result that is late is waited for."""


@dataclass(frozen=True, slots=True)
class RetrainingRound:
    """One tuning.

    Attributes:
        number: from 1.
        rows: completed trials that it learns from, but for suspected outliers.
    """

    number: int
    rows: int

    @property
    def due(self) -> int:
        """The number of completed trials at which its result counts."""
        return self.rows + _DUE


class Retraining:
    """Tunes the model that is the prior of a metric, and gives the models what predicts better.

    Args:
        campaign: names metric, model and rule.
        config: the rule.
        pool: the materials.
        folder: where tuned models are kept.
        models: are told of a better prior.
    """

    def __init__(
        self, campaign: Campaign, config: RetrainConfig, pool: Pool, folder: Path, models: ModelFitter
    ) -> None:
        self._campaign, self._config, self._pool = campaign, config, pool
        self._folder, self._models = folder, models
        prior = campaign.measured[config.metric].prior
        assert isinstance(prior, TrainedPriorConfig)  # noqa: S101 - the campaign was checked
        self._base = self._current = prior.place
        self._under_way: dict[RetrainingRound, Tuning] = {}
        self._settled: set[RetrainingRound] = set()

    def advance(self, completed: Sequence[TrialRecord]) -> list[tuple[str, str]]:
        """Begin and settle what is due; return what happened, by metric, for the log.

        Args:
            completed: all completed trials, in the order in which they were completed.

        Raises:
            ModelError: the model or its folder cannot be used.
        """
        texts = []
        for each in self._rounds(len(completed)):
            if each not in self._under_way and each not in self._settled:
                self._folder.mkdir(exist_ok=True)
                self._under_way[each] = start(self._task(each, completed[: each.rows]))
                texts.append(f"tuning {each.number} of the prior has begun, on {each.rows} trials")
            if len(completed) >= each.due and each in self._under_way:
                texts.append(self._settle(each))
        return [(self._config.metric, text) for text in texts]

    def stop(self) -> None:
        """End what is under way; it is begun again when the campaign is gone on with."""
        for tuning in self._under_way.values():
            tuning.stop()
        self._under_way.clear()

    def _rounds(self, completed: int) -> list[RetrainingRound]:
        every = max(self._config.every, _DUE)  # one at a time
        return [RetrainingRound(k, k * every) for k in range(1, completed // every + 1)]

    def _task(self, each: RetrainingRound, completed: Sequence[TrialRecord]) -> TuningTask:
        outliers = self._models.health.outliers_among(self._config.metric, completed)
        trials = [trial for trial in completed if trial.number not in outliers]
        return TuningTask(
            base=self._base,
            current=self._current,
            out=self._folder / f"{self._config.metric}-{each.number}",
            rows=[self._row(name, trials) for name in sorted({str(t.candidate.material) for t in trials})],
            unit=self._campaign.metrics[self._config.metric].unit,
            epochs=self._config.epochs,
            seed=self._campaign.seed,
        )

    def _row(self, material: str, trials: Sequence[TrialRecord]) -> TuningRow:
        """Return the mean of what was measured of a material."""
        seen = [t.metrics[self._config.metric] for t in trials if t.candidate.material == material]
        value, sd = float(np.mean([m.value for m in seen])), float(np.mean([m.sd for m in seen]))
        return TuningRow(material, self._pool[material].structure, value, sd / len(seen) ** 0.5)

    def _settle(self, each: RetrainingRound) -> str:
        result = self._under_way.pop(each).wait()
        assert result is not None  # noqa: S101 - there is no timeout
        self._settled.add(each)
        if result.folder is not None:
            self._current = result.folder
            metric = self._config.metric
            unit = self._campaign.metrics[metric].unit
            self._models.adopt(metric, prior_values(result.folder, self._pool, unit))
        return _told(each, result)


def _told(each: RetrainingRound, result: TuningResult) -> str:
    result_text = "taken over" if result.folder is not None else "not taken over"
    return f"tuning {each.number} of the prior is {result_text}: {result.reason}"
