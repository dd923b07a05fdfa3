import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from campaigns.surrogate import HealthConfig
from campaigns.values import MetricValue, TrialState
from loop.core.proposals import Proposal
from loop.core.records import TrialRecord
from loop.diagnostics.model_health import HealthState, MetricHealth, changes, health
from tests.trials import trial

CONFIG = HealthConfig()
METRIC = "capacity"
UNIT = "mAh/g"
NOISE = 1.0
BELIEVED: Mapping[str, frozenset[int]] = {METRIC: frozenset()}
Spoil = Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]


BATCH = 4


def measured(number: int, value: float, prediction: MetricValue | None, factor: float = 1.0) -> TrialRecord:
    """Return a completed trial whose prediction was made when all trials before its batch were known."""
    proposal = Proposal("space-filling")
    if prediction is not None:
        models = {METRIC: {"health": {"sd_factor": factor}}}
        known = tuple(range(number - number % BATCH))
        proposal = Proposal("model", predictions={METRIC: prediction}, learnt_from=known, models=models)
    metrics = {METRIC: MetricValue(value, NOISE, UNIT)}
    return trial(number, TrialState.COMPLETED, metrics=metrics, proposal=proposal, completed_order=number)


def conduct(means: Iterable[float], sds: Iterable[float], values: Iterable[float], start: int = 5) -> list[TrialRecord]:
    """Return a campaign in which each prediction's standard deviation is multiplied as its model's health demands."""
    trials: list[TrialRecord] = []
    factor = 1.0
    for number, (mean, sd, value) in enumerate(zip(means, sds, values, strict=True)):
        if number % BATCH == 0:
            factor = health(CONFIG, trials, BELIEVED)[METRIC].sd_factor
        prediction = MetricValue(mean, sd * factor, UNIT) if number >= start else None
        trials.append(measured(number, value, prediction, factor))
    return trials


def honest(seed: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return means, standard deviations, and values that are just as uncertain as that."""
    random = np.random.default_rng(seed)
    means, sds = 100 + 15 * random.normal(size=count), random.uniform(3.0, 8.0, size=count)
    return means, sds, means + np.hypot(sds, NOISE) * random.normal(size=count)


def changed(trials: Sequence[TrialRecord]) -> list[tuple[int, HealthState]]:
    return [(c.trial, c.state) for c in health(CONFIG, trials, BELIEVED)[METRIC].transitions]


def permuted(means: NDArray[np.float64], sds: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = np.random.default_rng(0).permutation(len(means))
    return means[order], sds[order]


def overconfident(
    means: NDArray[np.float64], sds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return means, sds / 3


def mirrored(means: NDArray[np.float64], sds: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return 2 * means.mean() - means, sds


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 60), spoil=st.sampled_from([permuted, overconfident, mirrored]))
def test_what_was_known_at_a_kill_is_known_after_it(seed: int, cut: int, spoil: Spoil) -> None:
    means, sds, values = honest(seed, 60)
    means[30:], sds[30:] = spoil(means[30:], sds[30:])
    trials = conduct(means, sds, values)
    before, after = health(CONFIG, trials[:cut], BELIEVED), health(CONFIG, trials[::-1], BELIEVED)
    assert after == health(CONFIG, trials, BELIEVED), "the order in which the store gives trials back must not matter"
    revised = before[METRIC].transitions + tuple(change for _, change in changes(before, after))
    assert revised == after[METRIC].transitions


@pytest.mark.slow
def test_a_healthy_model_is_left_alone() -> None:
    punished = [bool(changed(conduct(*honest(seed, 200)))) for seed in range(10)]
    assert sum(punished) == 0


@pytest.mark.parametrize("spoil", [permuted, overconfident, mirrored])
def test_a_model_that_goes_bad_is_noticed_within_twenty_trials(spoil: Spoil) -> None:
    for seed in range(6):
        means, sds, values = honest(seed, 100)
        means[60:], sds[60:] = spoil(means[60:], sds[60:])
        found = changed(conduct(means, sds, values))
        assert found[0][1] is HealthState.RECALIBRATED
        assert 60 <= found[0][0] < 80


@pytest.mark.parametrize("spoil", [permuted, mirrored])
def test_a_model_that_orders_badly_is_dropped(spoil: Spoil) -> None:
    dropped = []
    for seed in range(6):
        means, sds, values = honest(seed, 100)
        means[60:], sds[60:] = spoil(means[60:], sds[60:])
        dropped += [number for number, state in changed(conduct(means, sds, values)) if state is HealthState.FALLBACK]
    assert len(dropped) == 6
    assert np.median(dropped) < 85


@pytest.mark.slow
def test_a_model_that_is_only_too_sure_of_itself_is_corrected_and_kept() -> None:
    means, sds, values = honest(3, 150)
    found = health(CONFIG, conduct(means, sds / 3, values), BELIEVED)[METRIC]
    assert found.state is HealthState.RECALIBRATED
    assert 2.0 < found.sd_factor < 5.0
    assert found.figures is not None
    assert found.figures.coverage[2] >= CONFIG.coverage
    assert "outside their 95 % interval" in found.transitions[0].text


def test_a_model_that_is_honest_again_is_healthy_again() -> None:
    means, sds, values = honest(4, 120)
    sds[20:40] /= 3
    found = health(CONFIG, conduct(means, sds, values), BELIEVED)[METRIC]
    assert [change.state for change in found.transitions] == [HealthState.RECALIBRATED, HealthState.HEALTHY]
    assert found.sd_factor == 1.0


def test_the_factor_is_judged_by_what_the_model_itself_claimed() -> None:
    means, sds, values = honest(5, 60)
    trials = conduct(means, sds / 3, values)
    used = [t.proposal.predictions[METRIC].sd for t in trials[40:]]
    assert min(u / s for u, s in zip(used, sds[40:] / 3, strict=True)) > 1.5
    assert health(CONFIG, trials, BELIEVED)[METRIC].sd_factor > 1.5, "it must not fall back because it works"


def test_one_wild_measurement_changes_nothing() -> None:
    means, sds, values = honest(6, 60)
    values[30] += 1000.0
    assert changed(conduct(means, sds, values)) == []


def test_without_a_simple_model_the_ladder_ends_at_recalibration() -> None:
    means, sds, values = honest(7, 100)
    means[40:], _ = permuted(means[40:], sds[40:])
    trials = conduct(means, sds, values)
    found = health(CONFIG, trials, BELIEVED, droppable=False)[METRIC]
    assert {change.state for change in found.transitions} == {HealthState.RECALIBRATED}


def test_the_simple_model_is_judged_by_its_own_predictions_alone() -> None:
    means, sds, values = honest(8, 110)
    means[20:60], sds[20:60] = mirrored(means[20:60], sds[20:60])
    trials = conduct(means, sds, values)
    number, state = changed(trials)[-1]
    assert (state, number < 60) == (HealthState.FALLBACK, True)
    assert health(CONFIG, trials, BELIEVED)[METRIC].sd_factor == 1.0
    sds[70:] /= 4
    assert health(CONFIG, conduct(means, sds, values), BELIEVED)[METRIC].sd_factor > 2.0


def test_thresholds_rule() -> None:
    means, sds, values = honest(9, 80)
    trials = conduct(means, sds / 3, values)
    patient = HealthConfig(coverage=0.0)
    assert health(patient, trials, BELIEVED)[METRIC].transitions == ()
    strict = HealthConfig(window=10, coverage=0.95)
    first = health(strict, trials, BELIEVED)[METRIC].transitions[0]
    assert first.trial < changed(trials)[0][0]


def test_trials_without_measurement_or_prediction_change_nothing() -> None:
    trials = conduct(*honest(10, 30))
    spoilt = trial(30, TrialState.QUARANTINED, metrics={METRIC: MetricValue(1e9, 1.0, UNIT)})
    wild = replace(trials[-1].metrics[METRIC], value=math.nan)
    unmeasured = replace(trials[-1], number=31, completed_order=30, metrics={METRIC: wild})
    assert health(CONFIG, [*trials, spoilt, unmeasured], BELIEVED) == health(CONFIG, trials, BELIEVED)
    assert health(CONFIG, [], BELIEVED) == {METRIC: MetricHealth()}
    assert health(CONFIG, trials, {"mean_voltage": frozenset()}) == {"mean_voltage": MetricHealth()}


def test_a_prediction_without_any_doubt_is_possible() -> None:
    trials = conduct([100.0] * 40, [0.0] * 40, [100.0 + i for i in range(40)])
    found = health(CONFIG, trials, BELIEVED)[METRIC]
    assert found.state is not HealthState.HEALTHY
    assert math.isfinite(found.sd_factor)


def test_health_comes_back_from_what_a_proposal_keeps_of_it() -> None:
    means, sds, values = honest(11, 60)
    for known in (MetricHealth(), health(CONFIG, conduct(means, sds / 3, values), BELIEVED)[METRIC]):
        assert MetricHealth.read(known.describe()) == known


def test_what_is_not_believed_is_held_against_no_model() -> None:
    means, sds, values = honest(2, 60)
    wild = range(20, 60, 4)
    spoilt = values.copy()
    spoilt[list(wild)] += 1000.0
    trials = conduct(means, sds, spoilt)
    assert health(CONFIG, trials, BELIEVED)[METRIC].transitions
    left = health(CONFIG, trials, {METRIC: frozenset(wild)})[METRIC]
    assert left.transitions == ()
    assert left.figures is not None
    assert left.figures.rmsd < 30


def sized(gaps: Sequence[float]) -> list[TrialRecord]:
    """Return trials that were predicted with a standard deviation of 1, each off by so many of those."""
    return [measured(n, 100.0 + 1.5 * gap, MetricValue(100.0, 1.0, UNIT)) for n, gap in enumerate(gaps)]


def needed(gap: float) -> float:
    """Return the factor that makes the 80 % interval of a prediction of ``sized`` reach its measurement."""
    return math.sqrt(max((1.5 * gap / 1.2815515655446004) ** 2 - NOISE**2, 0.0))


def test_the_factor_catches_up_with_the_latest_half_window() -> None:
    gaps = [0.1] * (CONFIG.window - 6) + [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    found = health(CONFIG, sized(gaps), BELIEVED)[METRIC]
    assert found.state is HealthState.RECALIBRATED
    half, whole = (np.quantile([needed(gap) for gap in part], 0.8) for part in (gaps[-CONFIG.window // 2 :], gaps))
    assert found.sd_factor == pytest.approx(half) != pytest.approx(whole, rel=0.1)


def test_no_deviation_however_wild_multiplies_standard_deviations_by_more_than_ten() -> None:
    found = health(CONFIG, sized([0.1] * (CONFIG.window - 6) + [1e6] * 6), BELIEVED)[METRIC]
    assert found.sd_factor == 10.0


def test_half_a_window_of_predictions_since_its_recalibration_condemns_a_model() -> None:
    gaps = [30.0 * (-3.0) ** (number % 5) for number in range(60)]
    found = health(CONFIG, sized(gaps), BELIEVED)[METRIC]
    dropped = next(change for change in found.transitions if change.state is not HealthState.RECALIBRATED)
    assert dropped.figures.predictions == CONFIG.window // 2
