"""Analytic metrics of electrode pools: theoretical capacity, cost of the precursors, risk of supply."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymatgen.analysis.hhi import HHIModel
from pymatgen.core import Composition

from campaigns.errors import ModelError
from surrogates.pools.pool import Pool, PoolEntry, in_unit

FARADAY = 96485.33212  # C/mol, CODATA 2018
COULOMB_PER_MILLIAMPERE_HOUR = 3.6
PRICES = Path(__file__).with_name("precursors.csv")


@dataclass(frozen=True, slots=True)
class Precursor:
    """What an element is bought as.

    Attributes:
        formula: compound.
        price: USD per kg of it.
        source: reference or basis of the price.
    """

    formula: str
    price: float
    source: str


@in_unit("mAh/g")
def theoretical_capacity(pool: Pool) -> NDArray[np.float64]:
    """Return the charge of the lithium between each cell and its host, per mass of the lithiated cell, n, in mAh/g.

    Raises:
        ModelError: an entry has no host.
    """
    return _each(pool, _capacity)


@in_unit("USD/kg")
def precursor_cost(pool: Pool) -> NDArray[np.float64]:
    """Return what the precursors of a kilogram of each lithiated compound cost, n, in USD/kg.

    Prices are those of about 2019 in ``precursors.csv``, to two digits at best: they rank compounds, they do not
    budget them. Oxygen is free, and neither synthesis nor yield is counted.

    Raises:
        ModelError: the table lacks an element.
    """
    return _each(pool, lambda entry: _cost(entry.structure.composition))


@in_unit("1")
def supply_risk(pool: Pool) -> NDArray[np.float64]:
    """Return how concentrated the production of each compound's elements is, n, from 0 to 1 (one country has it all).

    The mean by mass of the Herfindahl-Hirschman index of production, over 10,000: Gaultois et al., Chem. Mater. 25,
    2911 (2013), as in pymatgen.
    """
    model = HHIModel()
    return _each(pool, lambda entry: float(model.get_hhi_production(entry.structure.composition)) / 1e4)


@cache
def precursors() -> Mapping[str, Precursor]:
    """Return element to precursor, from ``precursors.csv``."""
    with PRICES.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return {r["element"]: Precursor(r["precursor"], float(r["usd_per_kg"]), r["source"]) for r in rows}


def _each(pool: Pool, value: Callable[[PoolEntry], float]) -> NDArray[np.float64]:
    return np.array([value(entry) for entry in pool.entries], dtype=np.float64)


def _capacity(entry: PoolEntry) -> float:
    if entry.host is None:
        raise ModelError(f"pool entry {entry.id!r} has no delithiated host; capacity needs one for every entry")
    lithiated = entry.structure.composition
    removed = lithiated["Li"] - entry.host.composition["Li"]
    return float(removed * FARADAY / COULOMB_PER_MILLIAMPERE_HOUR / lithiated.weight)


def _cost(compound: Composition) -> float:
    bought = sum(amount * _price(element.symbol) for element, amount in compound.items() if element.symbol != "O")
    return float(bought / compound.weight)


@cache
def _price(element: str) -> float:
    """Return the cost of an element's precursor, USD/kg times g/mol."""
    if element not in precursors():
        raise ModelError(
            f"no price for {element}; {PRICES.name} has {', '.join(precursors())}: add a row with its source"
        )
    precursor = precursors()[element]
    compound = Composition(precursor.formula)
    return float(precursor.price * compound.weight / compound[element])
