"""Features of the user's own, named by a dotted path and checked against the interface."""

from __future__ import annotations

import hashlib
import inspect
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymatgen.core import Structure

from campaigns.errors import CampaignError, ModelError, Problem, raised_by
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.loading import load_object
from surrogates.features.embeddings import AnyEmbedder, Embeddings, Energies

_NEEDED = "needed: name and version, texts that are not empty, and evaluate(structures), which returns Embeddings"


@dataclass(frozen=True)
class CustomFeatures:
    """An embedder of the user's own, cached under its path and its settings.

    Attributes:
        factory: dotted path of what made it.
        settings: keyword arguments that it was made with, as JSON.
        inner: what it made.
    """

    factory: str
    settings: str
    inner: AnyEmbedder

    @property
    def name(self) -> str:
        """Return the path and the embedder's own name."""
        return f"{self.factory} {self.inner.name}"

    @property
    def version(self) -> str:
        """Return the embedder's own version with a hash of the settings."""
        return f"{self.inner.version}-{hashlib.sha256(self.settings.encode()).hexdigest()[:12]}"

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings[Energies | None]:
        """Return what the embedder says, n x d; ``embed`` checks it.

        Raises:
            ModelError: the embedder raised something.
        """
        try:
            return self.inner.evaluate(structures)
        except ModelError:
            raise
        except (Exception, SystemExit) as error:
            formulas = ", ".join(structure.composition.reduced_formula for structure in structures[:3])
            more = f" and {len(structures) - 3} more" if len(structures) > 3 else ""
            raise ModelError(f"{self.factory} cannot embed {formulas}{more}: {raised_by(error)}") from error


def build_custom(factory: str, settings: Mapping[str, Any], where: str) -> CustomFeatures:
    """Return the features that a dotted path names.

    Args:
        factory: package.module:name of a class, or of a function that returns its object.
        settings: its keyword arguments.
        where: key path in the campaign file, for errors.

    Raises:
        CampaignError: it cannot be loaded or called so, or what it returns is no embedder.
    """
    make = load_object(factory, where, Use.FEATURES, settings)
    try:
        inspect.signature(make).bind(**settings)
    except TypeError as error:
        got = f"got settings {dict(settings)}, with which {factory} cannot be called ({error})"
        raise _problem(where, f"{got}; allowed: {inspect.signature(make)}") from error
    try:
        inner = make(**settings)
    except (Exception, SystemExit) as error:
        raise _problem(where, f"{factory} cannot be made with settings {dict(settings)}: {raised_by(error)}") from error
    lacking = _lacking(inner)
    if lacking:
        raise _problem(where, f"{factory} gave a {type(inner).__name__}, {lacking}; {_NEEDED}")
    return CustomFeatures(factory, json.dumps(settings, sort_keys=True), inner)


def _lacking(inner: object) -> str | None:
    """Return what an object lacks to be an embedder, or None."""
    for attribute in ("name", "version"):
        value = getattr(inner, attribute, None)
        if not isinstance(value, str) or not value:
            return f"whose {attribute} is {value!r}"
    if not callable(getattr(inner, "evaluate", None)):
        return "which has no method evaluate"
    try:
        pickle.dumps(inner)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        return f"which cannot be sent to other processes ({error}): define its class at the top of a module"
    return None


def _problem(where: str, message: str) -> CampaignError:
    return CampaignError([Problem(where, message)])
