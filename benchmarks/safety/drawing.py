"""Lab files drawn at random, and what they are to allow, in units that are not always those of the device."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.safety.account import Account, Part, Rule

UNITS = (("degC", "K", 273.15, 1.0), ("mm", "cm", 0.0, 0.1), ("L/min", "mL/min", 0.0, 1000.0))
"""Units of settings and readings, others in which a file may state them, and how one becomes the other."""
_SIGNS = ("<", "<=", ">", ">=")


class Drawing:
    """Draws a laboratory, of which it keeps account.

    Args:
        generator: of all that is drawn.
        account: of the laboratory.
        rated: share of the parts that have a highest rate.
        brisk: whether a second is enough for all of a range.
    """

    def __init__(self, generator: random.Random, account: Account, rated: float = 0.4, *, brisk: bool = False) -> None:
        self._draw, self._account, self._rated, self._brisk = generator, account, rated, brisk
        for i in range(generator.randint(1, 3)):
            account.readings[f"r{i}"] = round(generator.uniform(-10, 10), 3)
        self.units = {name: generator.randrange(len(UNITS)) for name in account.readings}

    def rules(self, station: str, names: Sequence[str]) -> dict[str, Any]:
        """Return the limits, the safe state and the requirements of a station."""
        limits, safe = {}, {}
        for name in names:
            part = self._part(station, name)
            self._account.parts[f"{station}.{name}"] = part
            self._account.now[f"{station}.{name}"] = 0.0
            limits[name] = {"unit": UNITS[part.unit][0], **self._bounds(part), **self._rate(part)}
            safe[name] = part.safe
        required = [self._requirement(self._draw.choice(list(self.units))) for _ in range(self._draw.randint(0, 2))]
        self._account.required[station] = required
        texts = [self._text(one, self.units[one.name]) for one in required]
        joined = [" and ".join(texts)] if len(texts) == 2 and self._draw.random() < 0.5 else texts
        return {"limits": limits, "safe": safe, "requires": joined}

    def forbidden(self) -> list[str]:
        """Return combinations of settings that are forbidden."""
        names = list(self._account.parts)
        for _ in range(self._draw.randint(0, 2)):
            pair = [self._rule(name, -100, 100) for name in self._draw.sample(names, 2)]
            self._account.forbidden.append((pair[0], pair[1]))
        return [
            " and ".join(self._text(one, self._account.parts[one.name].unit) for one in pair)
            for pair in self._account.forbidden
        ]

    def readings(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """Return the readings of a lab file.

        Args:
            source: what is read, but for the name of the reading.
        """
        return {name: {**source, "unit": UNITS[unit][0]} for name, unit in self.units.items()}

    def quantity(self, number: float, unit: int) -> str:
        """Return a number with its unit, or in another one."""
        own, other, zero, slope = UNITS[unit]
        if self._draw.random() < 0.5:
            return f"{number!r} {own}"
        return f"{round(number * slope + zero, 6)!r} {other}"

    def _part(self, station: str, name: str) -> Part:
        low = round(self._draw.uniform(-100, 50), 3)
        high = round(low + self._draw.uniform(1, 100), 3)
        safe = round(self._draw.uniform(low, high), 3)
        slowest, fastest = (high - low, 3 * (high - low)) if self._brisk else (2.0, 60.0)
        rate = round(self._draw.uniform(slowest, fastest), 3) if self._draw.random() < self._rated else None
        return Part(station, name, self._draw.randrange(len(UNITS)), low, high, min(max(safe, low), high), rate)

    def _rate(self, part: Part) -> dict[str, Any]:
        """Return the highest rate per second or per minute, of those that have one."""
        unit = UNITS[part.unit][0].replace("degC", "K")
        if part.rate is None:
            return {}
        return {"rate": f"{part.rate!r} {unit}/s" if self._draw.random() < 0.5 else f"{part.rate * 60!r} {unit}/min"}

    def _bounds(self, part: Part) -> dict[str, Any]:
        """Return limits in the unit, or in another one."""
        if self._draw.random() < 0.5:
            return {"low": part.low, "high": part.high}
        return {"low": self.quantity(part.low, part.unit), "high": self.quantity(part.high, part.unit)}

    def _rule(self, name: str, low: float, high: float) -> Rule:
        return Rule(name, self._draw.choice(_SIGNS), round(self._draw.uniform(low, high), 3))

    def _requirement(self, name: str) -> Rule:
        """Return a comparison that holds at first, and often later."""
        sign, off = self._draw.choice(_SIGNS), self._draw.uniform(0.1, 15.0)
        found = self._account.readings[name] or 0.0
        return Rule(name, sign, round(found + (off if "<" in sign else -off), 3))

    def _text(self, rule: Rule, unit: int) -> str:
        return f"{rule.name} {rule.sign} {self.quantity(rule.number, unit)}"
