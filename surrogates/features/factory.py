"""From the features that a campaign names to the embedders that compute them."""

from __future__ import annotations

from typing import assert_never

from campaigns.surrogate import (
    ChgnetConfig,
    CompositionConfig,
    CustomFeaturesConfig,
    FeaturesConfig,
    MatglConfig,
    PhysicalConfig,
    SitesConfig,
    ValenceConfig,
)
from surrogates.features.embeddings import AnyEmbedder


def build_embedder(config: FeaturesConfig, where: str = "surrogate.features") -> AnyEmbedder:
    """Return what computes the features; each library is imported only when its features are named.

    Args:
        config: which features.
        where: key path in the campaign file, for errors.

    Raises:
        ModelError: a model is not available.
        CampaignError: features of the user's own cannot be loaded, or are no embedder.
    """
    match config:
        case ChgnetConfig(weights=weights):
            from surrogates.features.chgnet_model import ChgnetModel

            return ChgnetModel(weights)
        case MatglConfig(model=model, place=place):
            from surrogates.features.matgl_model import MatglModel

            return MatglModel(model, place)
        case CompositionConfig():
            from surrogates.features.composition import CompositionFeatures

            return CompositionFeatures()
        case SitesConfig():
            from surrogates.features.sites import SiteFeatures

            return SiteFeatures()
        case PhysicalConfig():
            from surrogates.features.physical import PhysicalFeatures

            return PhysicalFeatures()
        case ValenceConfig():
            from surrogates.features.valence import ValenceFeatures

            return ValenceFeatures()
        case CustomFeaturesConfig(factory=factory, settings=settings):
            from surrogates.features.custom import build_custom

            return build_custom(factory, settings, where)
        case _:
            assert_never(config)
