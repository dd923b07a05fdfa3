"""The neighbours of each site and their number, without radii: for ideal, distorted and substituted cells alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from surrogates.features.elements import atomic_numbers, property_values

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

SHARP = 6.0
"""Hoppe's exponent: neighbours beyond the first shell hardly count."""

_CUTOFFS = (8.0, 12.0, 16.0)  # Å
_ENOUGH = 2.2  # times the shortest distance: what lies beyond weighs little even with soft exponents
_SAME = 0.1  # Pauling units: elements nearer than this are alike


@dataclass(frozen=True)
class Bonds:
    """Pairs of sites, p, each in both directions: of a cation and an anion, where a site has such neighbours.

    Attributes:
        numbers: n atomic numbers of the sites.
        anion: n, whether a site is more electronegative than its neighbours.
        first: p sites.
        second: p sites.
        distance: p, Å.
    """

    numbers: Indices
    anion: NDArray[np.bool_]
    first: Indices
    second: Indices
    distance: Numbers

    def weights(self, exponent: float = SHARP) -> Numbers:
        """Return how much each pair counts, p: about one in the first shell of the first site, towards zero beyond.

        Hoppe, Z. Kristallogr. 150, 23 (1979), with exponent 6: a neighbour at distance d weighs
        ``exp(1 - (d / mean)^6)``, where the mean distance is itself weighted by ``exp(1 - (d / shortest)^6)``. With a
        smaller exponent a site that moved off the centre of its polyhedron keeps most of its neighbours.
        """
        shortest = _shortest(self.first, self.distance, len(self.numbers))
        mean = self.per_site(np.exp(1 - (self.distance / shortest[self.first]) ** exponent), self.distance)
        return np.exp(1 - (self.distance / mean[self.first]) ** exponent)

    def coordination(self, exponent: float = SHARP) -> Numbers:
        """Return the effective coordination numbers, n; 0 where no neighbour is within 16 Å."""
        return self._sums(self.weights(exponent))

    def per_site(self, weights: Numbers, values: Numbers) -> Numbers:
        """Return the weighted mean of p values over each site's pairs, n; 0 for a site without any."""
        total = self._sums(weights)
        return self._sums(weights * values) / np.where(total > 0, total, 1.0)

    def _sums(self, values: Numbers) -> Numbers:
        return np.bincount(self.first, values, len(self.numbers)).astype(float)  # of no pairs it makes integers


def bonds(structure: Structure) -> Bonds:
    """Return the bonds of a crystal.

    A site is an anion if it is more electronegative than its neighbours on average, by more than 0.1 on Pauling's
    scale. Only pairs of a cation and an anion are kept, but all pairs of sites that have no neighbour of the other kind
    in their first shell: those of elements and alloys.

    Raises:
        ModelError: a structure holds something that is no known element.
    """
    numbers = atomic_numbers(structure)
    every = _pairs(structure, numbers)
    weights = every.weights()
    electronegativity = property_values("electronegativity")[numbers]
    around = every.per_site(weights, electronegativity[every.second])
    anion = electronegativity > np.where(around > 0, around, np.inf) + _SAME
    polar = anion[every.first] != anion[every.second]
    alone = np.bincount(every.first, weights * polar, len(numbers)) < 0.5
    return _near(every, anion, polar | (alone[every.first] & alone[every.second]))


def _near(every: Bonds, anion: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Bonds:
    """Return the pairs that are kept, without those so long that they would weigh nothing."""
    first, second, distance = every.first[kept], every.second[kept], every.distance[kept]
    near = distance <= _ENOUGH * _shortest(first, distance, len(anion))[first]
    return Bonds(every.numbers, anion, first[near], second[near], distance[near])


def _shortest(first: Indices, distance: Numbers, sites: int) -> Numbers:
    shortest = np.full(sites, np.inf)
    np.minimum.at(shortest, first, distance)
    return shortest


def _pairs(structure: Structure, numbers: Indices) -> Bonds:
    """Return all pairs within a distance that is long enough for every site, if any is."""
    for cutoff in _CUTOFFS:
        first, second, _, distance = structure.get_neighbor_list(cutoff)
        if _shortest(first, distance, len(numbers)).max() * _ENOUGH <= cutoff:
            break
    return Bonds(numbers, np.zeros(len(numbers), dtype=bool), first, second, distance)
