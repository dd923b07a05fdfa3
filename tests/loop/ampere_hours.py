"""A station whose signals are in other units than the campaign: a setting in K, a reading in Ah/g."""

from typing import Any

from ophyd import Component

from campaigns.values import Measurement, MetricValue
from instruments.analyses.context import AnalysisContext
from instruments.job_instrument import JobInstrument, Quantity
from instruments.signal_units import reads


class Cell(JobInstrument):
    settings = ("x",)
    x = Component(Quantity, value=0.0, unit="K", limits=(0, 2000))
    out = Component(Quantity, value=0.0, unit="Ah/g")

    def has_job(self, token: str) -> bool:
        return bool(token == self.token.get())

    def progress(self) -> str:
        return str(self.state.get())

    def start(self, token: str) -> None:
        if self.has_job(token):
            return
        self.token.put(token)
        self.state.put("busy")
        self.clock.call_later(3600.0, self._end, self.name)

    def _end(self) -> None:
        self.out.put(0.1234567 + 1e-6 * self.x.get())
        self.state.put("done")


def naive(data: dict[str, Any], context: AnalysisContext) -> Measurement:
    return Measurement({"output": MetricValue(data["out"], 0.01, "mAh/g")})


@reads(out="mAh/g")
def good(data: dict[str, Any], context: AnalysisContext) -> Measurement:
    return Measurement({"output": MetricValue(data["out"], 0.01, "mAh/g")})


@reads(out="V")
def bad(data: dict[str, Any], context: AnalysisContext) -> Measurement:
    return Measurement({"output": MetricValue(data["out"], 0.01, "mAh/g")})
