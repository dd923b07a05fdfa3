"""A model of the user's own: found by its path, fitted, checked in words, and asked by the planner like ours."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from campaigns.errors import CampaignError
from campaigns.metrics import MeasuredConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.user_code.dotted_paths import NamedObject, Use, trouble
from campaigns.user_code.module_files import open_folder
from campaigns.values import Candidate, MetricValue, Scalar
from loop.planning.fitting import fit_posterior
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.planner import Planner
from loop.planning.posterior import TrainingData
from surrogates.models.custom_model import CustomModel, ModelPath, fit_custom_model, model_inputs
from surrogates.models.encoder import Encoder, MaterialTable
from surrogates.models.observations import Observations
from tests.planned import Lab, campaign

MODULE = """
    import torch
    from botorch.models import SingleTaskGP
    from botorch.models.deterministic import GenericDeterministicModel
    from botorch.models.ensemble import EnsembleModel
    from botorch.models.model import Model
    from botorch.posteriors import GPyTorchPosterior
    from botorch.posteriors.transformed import TransformedPosterior
    from gpytorch.distributions import MultivariateNormal
    from linear_operator import to_linear_operator
    from sklearn.tree import ExtraTreeRegressor
    from linear_operator.utils.errors import NotPSDError

    class Own(SingleTaskGP):
        pass

    def own(train_X, train_Y, train_Yvar) -> Model:
        return SingleTaskGP(train_X, train_Y, train_Yvar)

    def ready(train_X, train_Y, train_Yvar):
        return SingleTaskGP(train_X, train_Y, train_Yvar).eval()

    class Unfit(SingleTaskGP):
        def forward(self, X):
            if self.training:
                raise NotPSDError("no Cholesky factor")
            return super().forward(X)

    class Lines(EnsembleModel):
        def __init__(self, train_X, train_Y, train_Yvar):
            super().__init__()
            self._num_outputs, self.slopes = 1, torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)

        def forward(self, X):
            return self.slopes.view(-1, 1, 1) * X[..., :1].unsqueeze(-3)

    class Plain:
        def __init__(self, train_X, train_Y, train_Yvar):
            self.mean = train_Y.mean()

    def nothing(train_X, train_Y, train_Yvar):
        return SingleTaskGP if len(train_X) else None

    def two(train_X, train_Y, train_Yvar):
        return SingleTaskGP(train_X, train_Y.repeat(1, 2))

    def nan(train_X, train_Y, train_Yvar):
        return GenericDeterministicModel(lambda X: 0.0 * X[..., :1] / 0.0, num_outputs=1)

    def wide(train_X, train_Y, train_Yvar):
        return GenericDeterministicModel(lambda X: X, num_outputs=1)

    class Turned(SingleTaskGP):
        # Its variance is what a subclass makes of that of a Gaussian process.

        def posterior(self, X, *further, **how):
            inner = super().posterior(X, *further, **how)
            return TransformedPosterior(inner, lambda y: y, lambda m, v: m, lambda m, v: self.turned(v))

    class Undefined(Turned):
        def turned(self, variance):
            return variance * torch.nan

    class Infinite(Turned):
        def turned(self, variance):
            return variance + torch.inf

    class Negative(Turned):
        def turned(self, variance):
            return variance - 100.0

    class Flat(Turned):
        def turned(self, variance):
            return variance.squeeze(-1)

    class Silent(SingleTaskGP):
        def posterior(self, X, *further, **how):
            return None

    class Noisy(SingleTaskGP):
        # Its noise alone is wrong.

        def posterior(self, X, *further, observation_noise=False, **how):
            found = super().posterior(X, *further, **how)
            wrong = lambda m, v: v * torch.nan
            return TransformedPosterior(found, lambda y: y, lambda m, v: m, wrong) if observation_noise else found

    class Correlated(SingleTaskGP):
        # Its rows, each as uncertain as it should be, are less alike than rows can be.

        def posterior(self, X, *further, **how):
            found = super().posterior(X, *further, **how).distribution
            sds = found.variance.sqrt()
            signs = (2.0 * torch.eye(X.shape[-2]) - 1.0).to(sds)
            covariance = sds.unsqueeze(-1) * signs * sds.unsqueeze(-2)
            return GPyTorchPosterior(MultivariateNormal(found.mean, to_linear_operator(covariance)))

    class Steep(EnsembleModel):
        # Its gradient is infinite where a column is zero.

        def __init__(self, train_X, train_Y, train_Yvar):
            super().__init__()
            self._num_outputs = 1

        def forward(self, X):
            root = (X[..., :1] - X[..., :1].detach()).sqrt().unsqueeze(-3)
            return torch.cat([root, 1.0 + root], dim=-3)

    class Forest(EnsembleModel):
        # It is not of torch: there is no gradient.

        def __init__(self, train_X, train_Y, train_Yvar):
            super().__init__()
            self._num_outputs = 1
            x, y = train_X.numpy(), train_Y.numpy().ravel()
            self.trees = [ExtraTreeRegressor(random_state=seed).fit(x, y) for seed in range(4)]

        def forward(self, X):
            rows = X.detach().reshape(-1, X.shape[-1]).numpy()
            found = torch.stack([torch.from_numpy(tree.predict(rows)) for tree in self.trees])
            return found.reshape(4, *X.shape[:-1]).movedim(0, -2).unsqueeze(-1)

    def growing(train_X, train_Y, train_Yvar):
        if len(train_X) > 5:
            raise RuntimeError("too many measurements")
        return SingleTaskGP(train_X, train_Y, train_Yvar)

    def failing(train_X, train_Y, train_Yvar):
        raise RuntimeError("no licence")

    class Keyword(SingleTaskGP):
        def __init__(self, train_X, train_Y, *, train_Yvar):
            super().__init__(train_X, train_Y, train_Yvar)

    def short(train_X, train_Y):
        return SingleTaskGP(train_X, train_Y)
"""
ONE = {"kind": "measured", "unit": "1"}
NAMES = ("x0", "x1")
ENCODER = Encoder(
    SpaceConfig.model_validate(
        {"parameters": {name: {"kind": "float", "unit": "1", "low": 0, "high": 1} for name in NAMES}}
    )
)


@pytest.fixture(autouse=True)
def _module(tmp_path: Path) -> None:
    (tmp_path / "own_models.py").write_text(textwrap.dedent(MODULE))
    open_folder(tmp_path)


def rows(count: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((count, 2)))


def truth(at: Tensor) -> Tensor:
    return 200.0 + 30.0 * torch.sin(4.0 * at[:, 0]) + 10.0 * at[:, 1]


def fitted(name: str, count: int = 20, inflation: float = 1.0) -> CustomModel:
    at = rows(count)
    seen = Observations(at, truth(at), torch.full((count,), 0.5, dtype=torch.float64))
    return fit_custom_model(ModelPath(f"own_models:{name}", "metrics.merit.model"), ENCODER, seen, inflation)


@pytest.mark.parametrize("name", ["Own", "own"])
def test_a_class_or_a_function_is_called_with_the_measurements_and_fitted(name: str) -> None:
    model, elsewhere = fitted(name), rows(50, seed=1)
    mean, sd = model.marginals(elsewhere)
    assert float((mean - truth(elsewhere)).abs().mean()) < 3.0
    assert bool((sd > 0.0).all())
    assert model.describe() == {
        "kind": "custom",
        "model": f"own_models:{name}",
        "observations": 20,
        "choice": f"own_models:{name}",
        "loo": {f"own_models:{name}": model.evidence},
    }
    assert float(model.noise(elsewhere).mean()) == pytest.approx(0.25, rel=0.01)


def test_a_model_that_comes_back_in_evaluation_mode_is_not_fitted() -> None:
    fixed, learnt = (fitted(name).inner.covar_module.lengthscale for name in ("ready", "own"))
    assert not torch.allclose(fixed, learnt)


def test_a_fit_that_does_not_converge_is_told_and_ends_no_run() -> None:
    model = fitted("Unfit")
    assert "did not converge" in model.describe()["fit"]
    assert bool(model.marginals(rows(5))[0].isfinite().all())


def test_the_same_measurements_give_the_same_model() -> None:
    at = rows(30, seed=1)
    assert torch.equal(fitted("own").marginals(at)[0], fitted("own").marginals(at)[0])


@pytest.mark.parametrize("name", ["own", "Lines"])
def test_moments_agree_with_each_other(name: str) -> None:
    model, at, others = fitted(name), rows(5, seed=1), rows(2, seed=2)
    mean, covariance = model.joint(torch.cat([at, others]))
    marginal, sd = model.marginals(at)
    assert torch.allclose(marginal, mean[:5])
    assert torch.allclose(sd.square(), covariance.diagonal()[:5], rtol=1e-6)
    assert torch.allclose(model.cross(at, others), covariance[:5, 5:])
    batches = torch.stack([at, at.flip(0)])
    assert torch.allclose(model.posterior(batches).mean[1, :, 0], marginal.flip(0))


def test_intervals_that_proved_too_narrow_are_widened() -> None:
    at = rows(5, seed=1)
    assert torch.allclose(fitted("own", inflation=2.0).marginals(at)[1], 2.0 * fitted("own").marginals(at)[1])


def test_rows_together_are_widened_as_rows_one_by_one_and_noise_is_not() -> None:
    at, plain, wide = rows(5, seed=1), fitted("own"), fitted("own", inflation=2.0)
    (mean, covariance), (same, wider) = plain.joint(at), wide.joint(at)
    assert torch.equal(same, mean)
    assert torch.allclose(wider, 4.0 * covariance)
    assert torch.allclose(wide.noise(at), plain.noise(at))


def test_an_ensemble_has_no_evidence_and_the_noise_that_is_stated() -> None:
    model = fitted("Lines")
    assert "loo" not in model.describe()
    assert model.noise(rows(3)).tolist() == [0.25] * 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "gave a .*; needed: a botorch.models.model.Model"),
        ("two", "gave a model with 2 outputs; needed: one"),
        ("nan", r"posterior\(X of 20 x 2\) gave a mean of which 20 of 20 are not finite; needed: finite numbers"),
        ("wide", r"posterior\(X of 20 x 2\) gave a mean of 20 x 2; needed: 20 x 1; correct it, then go on with"),
        ("Undefined", "gave a variance of which 20 of 20 are not finite; needed: finite numbers"),
        ("Infinite", "gave a variance of which 20 of 20 are not finite; needed: finite numbers"),
        ("Negative", "gave a variance of -(99|100).*; needed: zero or more"),
        ("Flat", "gave a variance of 20; needed: 20 x 1"),
        ("Silent", "gave a NoneType; needed: a botorch.posteriors.Posterior"),
        ("failing", r"raised RuntimeError: no licence \(.*own_models.py:\d+\)"),
        ("short", "needs|takes 2 arguments, but is called with 3"),
        ("absent", "own_models has no absent"),
    ],
)
def test_what_is_no_model_is_refused_in_words(name: str, message: str) -> None:
    with pytest.raises(CampaignError, match=rf"metrics.merit.model: .*{message}"):
        fitted(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Noisy", r"posterior\(X of 4 x 2, observation_noise=True\) gave a variance of which 4 of 4 are not finite"),
        ("Correlated", "gave a covariance that is none: its least eigenvalue is -.*; needed: zero or more"),
        ("Steep", "its gradient by X, gave a gradient of which 4 of 8 are not finite"),
    ],
)
def test_what_a_campaign_will_ask_for_is_asked_for_in_a_rehearsal(name: str, message: str) -> None:
    model = fitted(name)
    with pytest.raises(CampaignError, match=message):
        model.rehearse(rows(4, seed=2), gradient=True)


@pytest.mark.parametrize("name", ["own", "Own", "Lines", "Forest", "ready"])
def test_a_model_that_can_be_used_passes_the_rehearsal(name: str) -> None:
    fitted(name).rehearse(rows(4, seed=2), gradient=True)
    fitted(name).rehearse(rows(20), gradient=True)  # where it was measured, rounding may bring a variance below zero


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_models:Own", ""),
        ("own_models:own", ""),
        ("botorch.models:SingleTaskGP", ""),
        ("own_models:short", "takes 2 arguments, but is called with 3 arguments"),
        ("own_models:Keyword", "takes train_Yvar by keyword alone, but is called with 3 arguments by position; remove"),
        ("own_models:Plain", "is a class without posterior"),
        ("own_models:Owm", "own_models has no Owm, did you mean 'Own'"),
    ],
)
def test_validate_tells_without_importing(tmp_path: Path, path: str, message: str) -> None:
    found = trouble(NamedObject("metrics.merit.model", path, Use.MODEL), tmp_path)
    assert (message in found) if message else found == ""


def test_an_imported_module_is_not_suggested_as_a_model(tmp_path: Path) -> None:
    (tmp_path / "lab_models.py").write_text("import numpy as np\nimport torch\n")
    for name in ("nope", "npp", "torc"):
        found = trouble(NamedObject("metrics.merit.model", f"lab_models:{name}", Use.MODEL), tmp_path)
        assert found == f"lab_models has no {name}"


@pytest.mark.parametrize("other", [{"prior": "a:b"}, {"within": [0, 1]}, {"proportional_to": "mass"}])
def test_a_model_of_ones_own_learns_the_metric_as_it_is_measured(other: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"got model together with {next(iter(other))}"):
        MeasuredConfig.model_validate({"kind": "measured", "unit": "1", "model": "own_models:Own", **other})


def test_a_material_is_seen_by_its_first_view() -> None:
    views = {"one": np.arange(6.0).reshape(3, 2), "other": np.ones((3, 4))}
    encoder = Encoder(ENCODER.space, MaterialTable(("a", "b", "c"), views, {}))
    at = torch.tensor([[0.1, 0.2, 2.0], [0.3, 0.4, 0.0]], dtype=torch.float64)
    assert model_inputs(encoder, at).tolist() == [[0.1, 0.2, 4.0, 5.0], [0.3, 0.4, 0.0, 1.0]]


def test_it_stands_beside_models_of_ours_also_where_these_are_conservative() -> None:
    metrics = {"merit": {"kind": "measured", "unit": "1", "model": "own_models:own"}, "other": ONE}
    step = {"name": "look", "stations": ["eye"], "analysis": "tests.planned:campaign", "gives": list(metrics)}
    recipe = {"recipe": {"x0": "$x0"}, "timeout": "1 h"}
    plan = campaign(1, metrics=metrics, workflow=[{**step, **recipe}])
    places = [Candidate({"x0": place / 10.0}) for place in range(8)]
    values = {name: [MetricValue(float(place), 0.1, "1") for place in range(8)] for name in metrics}
    problem = OptimizationProblem(plan, Encoder(plan.space))
    posterior = fit_posterior(problem, TrainingData(places, values, (), frozenset()))
    for each in (posterior, posterior.standard):
        assert set(each.models) == set(metrics)
        assert isinstance(each.models["merit"], CustomModel)


@pytest.mark.slow
def test_the_planner_asks_it_and_a_restart_changes_nothing() -> None:
    metric = {"merit": {"kind": "measured", "unit": "1", "model": "own_models:own"}}
    plan = campaign(2, planner={"initial": 4}, metrics=metric)

    def hill(parameters: Mapping[str, Scalar], number: int) -> float:
        return -sum((float(value) - 0.3) ** 2 for value in parameters.values())

    lab = Lab(plan, hill, sd=0.01)
    trials = lab.run(7)
    assert trials[-1].proposal.models["merit"]["kind"] == "custom"
    assert trials[-1].proposal.predictions["merit"].sd > 0.0
    again = Planner(plan, Encoder(plan.space))
    again.recall(trials)
    _, candidate, proposal = again.suggest()
    _, same, before = lab.planner.suggest()
    assert candidate == same
    assert proposal.acquisition == before.acquisition
    assert lab.planner.models.posterior_best() is not None
    assert lab.planner.models.outliers() == {}
