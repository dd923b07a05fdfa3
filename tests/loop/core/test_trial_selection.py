from dataclasses import replace

from campaigns.values import TrialState
from loop.core.proposals import Proposal
from loop.core.trial_selection import completed, fully_measured, learnable, trusted
from tests.trials import completed as done
from tests.trials import trial


def test_completed_trials_come_in_the_order_in_which_they_were_completed() -> None:
    late, early = done(0, 100.0, completed_order=1), done(1, 90.0, completed_order=0)
    assert completed([late, trial(2, TrialState.QUARANTINED), early, trial(3, TrialState.RUNNING)]) == [early, late]


def test_each_fidelity_is_completed_on_its_own() -> None:
    cheap = replace(done(0, 100.0), proposal=Proposal("model", fidelity="quick"))
    assert completed([cheap]) == []
    assert completed([cheap], "quick") == [cheap]


def test_suspected_outliers_are_completed_but_not_trusted() -> None:
    spike, sound = done(0, 9999.0, outlier="too good"), done(1, 90.0)
    assert completed([spike, sound]) == [spike, sound]
    assert trusted([spike, sound]) == [sound]


def test_a_trial_that_ended_early_is_learned_from_only_by_what_was_measured_of_it() -> None:
    part = done(0, 100.0, state=TrialState.FAILED, completed_order=1)
    early, nothing = done(1, 90.0, completed_order=0), trial(2, TrialState.QUARANTINED)
    withdrawn = done(3, 90.0, state=TrialState.WITHDRAWN)
    assert learnable([part, early, nothing, withdrawn]) == [early, part]


def test_a_score_needs_every_one_of_its_metrics() -> None:
    whole, half = done(0, 100.0), done(1, 90.0)
    half = replace(half, metrics={"capacity": half.metrics["capacity"]})
    assert fully_measured([whole, half], ("capacity", "mean_voltage")) == [whole]
    assert fully_measured([whole, half], ("capacity",)) == [whole, half]
