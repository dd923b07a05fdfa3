"""The surrogate section: features of a crystal, and what happens when models stop predicting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from campaigns.config import Config, Count, DottedPath, Number
from campaigns.relative_paths import RelativePathConfig

Share = Annotated[Number, Field(ge=0, le=1)]


class ChgnetConfig(Config):
    """CHGNet's embedding of each structure; its weights come with the package."""

    kind: Literal["chgnet"]
    weights: Literal["0.3.0", "0.2.0", "r2scan"] = "0.3.0"
    """Which pretrained weights."""


class MatglConfig(RelativePathConfig):
    """A matgl model's embedding of each structure."""

    kind: Literal["matgl"]
    model: str
    """A folder, beside the campaign file or absolute, or the name of a published model that is in matgl's cache."""

    @property
    def place(self) -> Path:
        """Where a folder of that name would be, absolute."""
        return self.beside(self.model)


class CompositionConfig(Config):
    """Statistics of the elements' properties, weighted by composition; structure does not enter."""

    kind: Literal["composition"]


class SitesConfig(Config):
    """The elements' properties on each type of site, from the most to the least coordinated."""

    kind: Literal["sites"]


class PhysicalConfig(Config):
    """Simple numbers: volume per atom, density, coordination, bond lengths, bond valence."""

    kind: Literal["physical"]


class ValenceConfig(Config):
    """Whether oxidation states can balance, and with closed shells: what makes a band gap likely."""

    kind: Literal["valence"]


class CustomFeaturesConfig(Config):
    """Your own features: a class with the interface of surrogates.features.embeddings.Embedder."""

    kind: Literal["custom"]
    factory: DottedPath
    """The class, or a function that returns an instance."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Its keyword arguments."""


FeaturesConfig = Annotated[
    ChgnetConfig
    | MatglConfig
    | CompositionConfig
    | SitesConfig
    | PhysicalConfig
    | ValenceConfig
    | CustomFeaturesConfig,
    Field(discriminator="kind"),
]


SimpleConfig = CompositionConfig | SitesConfig | PhysicalConfig | ValenceConfig
"""Features that come from no neural network."""

FALLBACK = CompositionConfig(kind="composition")
"""What is used when the features that a campaign names do not predict any more."""


class HealthConfig(Config):
    """When a model's predictions, made before the measurements, count as bad."""

    window: Annotated[Count, Field(ge=5)] = 16
    """How many of the latest predictions are judged."""
    coverage: Share = 0.65
    """Smallest fraction of measurements inside their 95 % interval; below it, a model is recalibrated, and a model that
    stays below it is dropped."""
    rank: Annotated[Number, Field(ge=-1, le=1)] = 0.4
    """Smallest rank correlation of predicted and measured values; a recalibrated model that stays below it, and is no
    better than a constant, is dropped."""


class RetrainConfig(Config):
    """Fine-tune a matgl model on the campaign's data, in a separate process, and use it if it is better."""

    metric: str
    """The measured metric to model; its prior must be a trained model."""
    every: Annotated[Count, Field(ge=5)] = 25
    """New measurements before the model is tuned again."""
    epochs: Annotated[Count, Field(ge=1)] = 30
    """Largest number of epochs of one tuning."""


class SurrogateConfig(Config):
    """Features of a crystal that the models use, and what happens when they stop predicting."""

    features: Annotated[tuple[FeaturesConfig, ...], Field(min_length=1)] = (
        ChgnetConfig(kind="chgnet"),
        SitesConfig(kind="sites"),
        CompositionConfig(kind="composition"),
        PhysicalConfig(kind="physical"),
        ValenceConfig(kind="valence"),
    )
    """Feature sets of a crystal; leave-one-out selects those that are used for each metric."""
    health: HealthConfig = HealthConfig()
    """When a model counts as bad; it is then recalibrated, gets other features, or is dropped."""
    retrain: RetrainConfig | None = None
    """Fine-tune a trained model during the campaign."""


def view_names(surrogate: SurrogateConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the views that are used, and of those to fall back to, which come from no network."""
    named = tuple(
        f.kind if f.kind not in [g.kind for g in surrogate.features[:i]] else f"{f.kind}_{i}"
        for i, f in enumerate(surrogate.features)
    )
    simple = tuple(n for n, f in zip(named, surrogate.features, strict=True) if isinstance(f, SimpleConfig))
    return named, simple or (FALLBACK.kind,)
