"""The campaign's models in the hands of Ax: an adapter whose predictions are those of our posterior.

To inspect models, Ax asks an adapter for predictions at settings of its search space, for a BoTorch model of what it
transforms these into, and for predictions of what was left out of the measurements. All three are answered by the
models that the planner has fitted; Ax fits none of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from ax.adapter.adapter_utils import array_to_observation_data, extract_search_space_digest
from ax.adapter.data_utils import ExperimentData
from ax.adapter.registry import Mixed_transforms
from ax.adapter.torch import TorchAdapter
from ax.adapter.transforms.choice_encode import OrderedChoiceToIntegerRange
from ax.core.data import Data
from ax.core.experiment import Experiment
from ax.core.observation import ObservationData, ObservationFeatures
from ax.core.search_space import SearchSpace
from ax.core.types import TModelPredict
from ax.generators.torch.botorch_modular.generator import BoTorchGenerator
from ax.generators.torch.botorch_modular.surrogate import Surrogate
from ax.generators.torch.utils import predict_from_model
from botorch.acquisition.objective import PosteriorTransform
from botorch.models.model import Model
from botorch.posteriors import GPyTorchPosterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from gpytorch.settings import min_variance
from linear_operator.operators import DiagLinearOperator
from torch import Tensor

from campaigns.spaces.parameters import CategoricalConfig, FloatConfig, OrdinalConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Scalar
from loop.planning.posterior import CampaignPosterior
from loop.planning.search_space import MATERIAL
from surrogates.models.encoder import Encoder

_TRANSFORMS = [OrderedChoiceToIntegerRange, *Mixed_transforms]
"""A column for each parameter that is not fixed: a number in its unit, or its decadic logarithm on a log scale, or the
place of a level."""
Moments = Callable[[CampaignPosterior, Tensor], tuple[Tensor, Tensor]]
"""Mean and variance, n and n, of an outcome at rows, n x d."""


@dataclass(frozen=True)
class Layout:
    """From the columns that Ax varies to the rows that models see.

    Attributes:
        encoder: of the rows.
        space: the current one, as Ax has it.
        names: what is varied, column by column.
        held: parameter that is not varied to its value.
    """

    encoder: Encoder
    space: SpaceConfig
    names: Sequence[str]
    held: Mapping[str, Scalar]

    def rows(self, columns: Tensor) -> Tensor:
        """Return the rows, n x d, of what Ax varies, n x c. Shares of a mixture are scaled to its total."""
        given = dict(zip(self.names, columns.double().unbind(dim=-1), strict=True))
        values = {name: self._values(name, given, len(columns)) for name in self.encoder.space.all_parameters}
        for mixture in self.space.mixtures.values():
            whole = torch.stack([values[name] for name in mixture.components]).sum(dim=0)
            values |= {name: values[name] * mixture.total / whole for name in mixture.components}
        places = given[MATERIAL].detach() if MATERIAL in given else None
        if places is None and self.encoder.materials is not None:
            places = torch.full((len(columns),), float(self.held[MATERIAL])).double()
        return self.encoder.encode_columns(values, places)

    def _values(self, name: str, given: Mapping[str, Tensor], count: int) -> Tensor:
        """Return the values of a parameter, n: numbers in their unit, of a categorical the places of its levels."""
        mine, widest = self.space.all_parameters[name], self.encoder.space.all_parameters[name]
        if name not in given:
            value = self.held[name]
            number = widest.levels.index(value) if isinstance(widest, CategoricalConfig) else value
            return torch.full((count,), float(number)).double()
        column = given[name]
        match mine:
            case CategoricalConfig():
                assert isinstance(widest, CategoricalConfig)  # noqa: S101 - amendments change no kind
                places = torch.tensor([float(widest.levels.index(level)) for level in mine.levels]).double()
                return places[column.detach().round().long()]
            case OrdinalConfig():
                levels = torch.tensor(mine.levels).double()
                below = column.detach().floor().long().clamp(0, len(levels) - 2)
                return levels[below] + (column - below) * (levels[below + 1] - levels[below])
            case FloatConfig(scale="log"):
                return 10.0**column
            case _:
                return column


class OutcomeModel(Model):
    """Outcomes at points one by one, as a BoTorch model of the columns that Ax varies.

    Args:
        posterior: of the measured metrics.
        layout: of the columns.
        outcomes: name to its moments.
    """

    def __init__(self, posterior: CampaignPosterior, layout: Layout, outcomes: Mapping[str, Moments]) -> None:
        super().__init__()
        self._posterior, self._layout, self._outcomes = posterior, layout, dict(outcomes)
        # Ax asks a parameter for the device.
        self._device = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64), requires_grad=False)

    @property
    def num_outputs(self) -> int:
        """The number of outcomes."""
        return len(self._outcomes)

    @property
    def batch_shape(self) -> torch.Size:
        """Empty: there is one model."""
        return torch.Size()

    def subset_output(self, idcs: list[int]) -> OutcomeModel:
        """Return the model of some of the outcomes."""
        names = [list(self._outcomes)[place] for place in idcs]
        return OutcomeModel(self._posterior, self._layout, {name: self._outcomes[name] for name in names})

    def posterior(
        self,
        X: Tensor,  # noqa: N803 - BoTorch's name
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,  # noqa: ARG002 - Ax draws what is there, not what would be read
        posterior_transform: PosteriorTransform | None = None,
    ) -> GPyTorchPosterior:
        """Return mean and variance of n points, n x c, one by one."""
        if output_indices is not None:
            return self.subset_output(output_indices).posterior(X, posterior_transform=posterior_transform)
        rows = self._layout.rows(X)
        found = [moments(self._posterior, rows) for moments in self._outcomes.values()]
        flat = 0.0 * X.double().sum(dim=-1)  # a gradient of zero where an outcome depends on names alone
        # What is exact, such as the points of a target that all samples meet: GPyTorch takes zero for an error.
        least = min_variance.value(torch.float64)
        each = [MultivariateNormal(m + flat, DiagLinearOperator(v.clamp_min(least))) for m, v in found]
        joint = each[0] if len(each) == 1 else MultitaskMultivariateNormal.from_independent_mvns(each)
        return GPyTorchPosterior(joint)


class _FittedSurrogate(Surrogate):
    """A surrogate of Ax that takes a fitted model as it is."""

    def take(self, model: Model, outcomes: Sequence[str], space: SearchSpace) -> None:
        """Predict outcomes by a model of the columns of a search space from now on."""
        self._model, self._outcomes, columns = model, list(outcomes), list(space.parameters)
        digest = extract_search_space_digest(space, columns)
        if MATERIAL in columns:  # a row of the pool is a name: it has no direction
            place = columns.index(MATERIAL)
            ordinal = [one for one in digest.ordinal_features if one != place]
            digest = replace(
                digest, ordinal_features=ordinal, categorical_features=[*digest.categorical_features, place]
            )
        self._last_search_space_digest = digest


@dataclass(frozen=True)
class CampaignModels:
    """What an adapter predicts, and where.

    Attributes:
        outcomes: names of what is predicted, which are metrics of the experiment.
        model: makes the model of all outcomes, given what Ax varies, column by column, and the numbers of the trials
            that must not be known.
        space: the current one.
        held: settings from which slices and contours depart.
    """

    outcomes: Sequence[str]
    model: Callable[[Sequence[str], frozenset[int]], OutcomeModel]
    space: SpaceConfig
    held: Mapping[str, Scalar]


class CampaignAdapter(TorchAdapter):
    """Ax's adapter to the models of a campaign.

    Args:
        experiment: of the campaign.
        data: what Ax may hold predictions against.
        models: what is predicted.
    """

    def __init__(self, experiment: Experiment, data: Data, models: CampaignModels) -> None:
        self._models = models
        generator = BoTorchGenerator(surrogate=_FittedSurrogate(), refit_on_cv=True)
        super().__init__(
            experiment=experiment, generator=generator, data=data, transforms=_TRANSFORMS, expand_model_space=False
        )

    def _fit(self, search_space: SearchSpace, experiment_data: ExperimentData, **_: Any) -> None:
        """Take the models as they are."""
        self.parameters, self.outcomes = list(search_space.parameters), list(self._models.outcomes)
        self._last_experiment_data = experiment_data
        model = self._models.model(self.parameters, frozenset())
        self.generator.surrogate.take(model, self.outcomes, search_space)

    def predict(
        self, observation_features: list[ObservationFeatures], use_posterior_predictive: bool = False
    ) -> TModelPredict:
        """Predict all outcomes at settings; where these differ from those held, mixtures are completed."""
        space, held = self._models.space, self._models.held
        points = [ObservationFeatures(completed_mixtures(space, p.parameters, held)) for p in observation_features]
        return super().predict(points, use_posterior_predictive)

    def _cross_validate(
        self,
        search_space: SearchSpace,  # noqa: ARG002
        cv_training_data: ExperimentData,
        cv_test_points: list[ObservationFeatures],
        use_posterior_predictive: bool = False,  # noqa: ARG002
    ) -> list[ObservationData]:
        """Predict by models that were fitted without the trials that are left out."""
        known, kept = _numbers(self._training_data), _numbers(cv_training_data)
        columns = [[float(point.parameters[name]) for name in self.parameters] for point in cv_test_points]
        model = self._models.model(self.parameters, known - kept)
        mean, covariance = predict_from_model(model, torch.tensor(columns).double())
        return array_to_observation_data(mean.numpy(), covariance.numpy(), outcomes=self.outcomes)


def completed_mixtures(
    space: SpaceConfig, settings: Mapping[str, Scalar], held: Mapping[str, Scalar]
) -> dict[str, Scalar]:
    """Return settings in which the shares that are as they were held are scaled, so that each mixture has its total.

    That is the direction of Cox (1971, Biometrika 58, 155): the others keep their proportions. Where nothing can be
    scaled, the shares stay as they are given.
    """
    found = dict(settings)
    for mixture in space.mixtures.values():
        rest = [name for name in mixture.components if settings[name] == held[name]]
        whole = sum(float(settings[name]) for name in rest)
        left = mixture.total - sum(float(settings[name]) for name in mixture.components if name not in rest)
        if rest and whole > 0.0 and left >= 0.0:
            found |= {name: float(settings[name]) * left / whole for name in rest}
    return found


def _numbers(data: ExperimentData) -> frozenset[int]:
    """Return the numbers of the trials of which there are data."""
    return frozenset(int(number) for number in data.arm_data.index.get_level_values("trial_index"))
