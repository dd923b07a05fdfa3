"""What the peers get of each crystal, as numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.pools.crystals import Crystals, Progress, View
from surrogates.features.chgnet_model import ChgnetModel
from surrogates.features.composition import CompositionFeatures
from surrogates.features.embeddings import embed
from surrogates.features.sites import SiteFeatures


def with_views(crystals: Crystals, progress: Progress) -> Crystals:
    """Return the crystals with all views of them computed, or read from the cache.

    Raises:
        ModelError: CHGNet cannot evaluate a crystal.
    """
    embedding = embed(crystals.structures, ChgnetModel(), progress=progress)
    views = {
        View.COMPOSITION: CompositionFeatures().evaluate(crystals.structures).vectors.astype(np.float64),
        View.SITES: SiteFeatures().evaluate(crystals.structures).vectors.astype(np.float64),
        View.CHGNET: embedding.vectors.astype(np.float64),
    }
    return replace(crystals, views=views, energy=embedding.energy)
