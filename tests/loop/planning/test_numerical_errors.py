"""Where numerics fail, a campaign that nobody watches goes on, and says so."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from botorch.acquisition import AcquisitionFunction
from torch import Tensor

from campaigns.values import Candidate
from loop.core.events import Proposed, Warned
from loop.core.proposals import MODEL
from loop.planning import acquisition
from loop.planning.model_fitter import ModelFitter
from loop.planning.numerical_errors import NUMERICAL_ERRORS, shortened
from loop.planning.planner import Planner
from loop.terminal.log_lines import line
from surrogates.models.encoder import Encoder
from tests.loop.conftest import Bench, quick
from tests.planned import Answer, Lab, campaign

Wrap = Callable[[Callable[[AcquisitionFunction, Tensor], Tensor]], None]


class Changed(AcquisitionFunction):
    """An acquisition function whose values are changed."""

    def __init__(self, base: AcquisitionFunction, change: Callable[[AcquisitionFunction, Tensor], Tensor]) -> None:
        super().__init__(base.model)
        self.base, self.change = base, change

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803 - BoTorch's name
        return self.change(self.base, X)


@pytest.fixture
def wrap(monkeypatch: pytest.MonkeyPatch) -> Wrap:
    """Changes the planner's acquisition function."""
    own = acquisition.acquisition_function

    def wrapped(change: Callable[[AcquisitionFunction, Tensor], Tensor]) -> None:
        monkeypatch.setattr(acquisition, "acquisition_function", lambda *given: Changed(own(*given), change))

    return wrapped


def without_gradient(base: AcquisitionFunction, X: Tensor) -> Tensor:  # noqa: N803
    """Return the same value, with a gradient that is no number."""
    return base(X) + (0.0 * X.sum(dim=(-1, -2))).sqrt()


def no_number(base: AcquisitionFunction, X: Tensor) -> Tensor:  # noqa: N803
    return base(X) * torch.nan


def learnt() -> Lab:
    lab = Lab(campaign(2, planner={"initial": 5}), lambda p, _: -((float(p["x0"]) - 0.3) ** 2) - float(p["x1"]) ** 2)
    lab.run(5)
    return lab


def test_where_gradients_are_no_numbers_neighbours_are_compared_and_the_proposal_says_so(wrap: Wrap) -> None:
    lab = learnt()
    wrap(without_gradient)
    number, candidate, proposal = lab.planner.suggest()
    assert proposal.generator == MODEL
    assert lab.campaign.space.contains(candidate)
    assert proposal.acquisition is not None
    assert all(proposal.acquisition >= other.acquisition for other in proposal.alternatives)
    assert "gradients of the acquisition function failed (OptimizationGradientError" in proposal.reason
    assert "neighbours were compared" in line(Proposed(number, candidate, proposal), {})


def test_where_gradients_work_nothing_is_said() -> None:
    assert learnt().planner.suggest()[2].reason == ""


def test_where_no_acquisition_value_is_a_number_the_space_is_filled_and_the_proposal_says_so(wrap: Wrap) -> None:
    lab = learnt()
    wrap(no_number)
    number, candidate, proposal = lab.planner.suggest()
    assert (proposal.generator, proposal.node) == ("space-filling", "InitialDesign")
    assert lab.campaign.space.contains(candidate)
    assert candidate.key() not in {t.candidate.key() for t in lab.trials}
    assert "the models could not choose (ArithmeticError" in line(Proposed(number, candidate, proposal), {})


@pytest.mark.slow
def test_values_that_are_no_numbers_are_never_the_best(wrap: Wrap) -> None:
    lab = learnt()
    wrap(lambda base, rows: torch.where(rows[..., 0, 0] < 0.5, torch.nan, base(rows)))
    assert float(lab.planner.suggest()[1].parameters["x0"]) >= 0.5


@pytest.mark.slow
def test_a_fallback_is_the_same_after_a_kill(wrap: Wrap) -> None:
    lab = learnt()
    again = Planner(lab.campaign, Encoder(lab.campaign.space))
    again.recall([replace(trial) for trial in lab.trials])
    wrap(no_number)
    assert again.suggest() == lab.planner.suggest()


@pytest.mark.slow
def test_a_run_goes_on_where_the_models_cannot_be_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def singular(_self: ModelFitter) -> Any:
        return torch.linalg.cholesky(torch.zeros(2, 2))

    monkeypatch.setattr(ModelFitter, "posterior", singular)
    bench.run(quick(budget={"trials": 8}))
    said = [event.text for event in bench.events if isinstance(event, Warned)]
    proposed = [event.proposal for event in bench.events if isinstance(event, Proposed)]
    assert any("the models could not be asked (_LinAlgError" in text for text in said)
    assert len(proposed) == 8
    assert "the models could not choose (_LinAlgError" in proposed[-1].reason


def test_errors_of_the_program_are_none_of_numerics() -> None:
    assert not issubclass(TypeError, NUMERICAL_ERRORS)
    assert not issubclass(KeyError, NUMERICAL_ERRORS)


def test_what_is_shown_of_an_error_is_one_short_line() -> None:
    text = shortened(RuntimeError("tensor(\n" + "0.0,\n" * 500))
    assert text.startswith("RuntimeError: tensor( 0.0, ")
    assert "\n" not in text
    assert len(text) < 150


@pytest.mark.slow
def test_candidates_of_a_failed_search_are_new(wrap: Wrap) -> None:
    lab = learnt()
    wrap(without_gradient)
    seen: set[object] = {t.candidate.key() for t in lab.trials}
    for trial in lab.run(3)[5:]:
        assert isinstance(trial.candidate, Candidate)
        assert trial.candidate.key() not in seen
        seen.add(trial.candidate.key())


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        lambda _: 1.0,
        lambda _: 0.0,
        lambda x: 1e-12 * x,
        lambda x: 1e12 * x,
        lambda x: float(x > 0.5),
        lambda x: math.exp(40.0 * x),
        lambda x: 1e9 if 0.4 < x < 0.6 else x,
        lambda x: "nothing forms" if x > 0.2 else x,
        lambda _: "nothing forms",
    ],
    ids=["one", "zero", "tiny", "huge", "steps", "decades", "spikes", "mostly failed", "all failed"],
)
def test_strange_measurements_end_nothing_and_need_no_fallback(answer: Callable[[float], Answer]) -> None:
    lab = Lab(campaign(2, planner={"initial": 4}), lambda parameters, _: answer(float(parameters["x0"])))
    for trial in lab.run(9):
        proposal = trial.proposal
        numbers = [proposal.acquisition, proposal.success, *(proposal.score or ())]
        assert all(number is None or math.isfinite(number) for number in numbers)
        assert "could not" not in proposal.reason
        assert "failed (" not in proposal.reason
    lab.planner.models.outliers()
    lab.planner.models.posterior_best()
    lab.planner.models.estimate_regret(lab.planner.experiment.ended)
