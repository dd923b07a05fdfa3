"""A SiLA 2 server with an oven, in a process of its own: it takes a while for a job, and can be stopped as a whole."""

from __future__ import annotations

import signal
import sys
import threading
from datetime import timedelta
from typing import Any

from sila2.framework import Feature
from sila2.framework.errors.defined_execution_error import DefinedExecutionError
from sila2.server import FeatureImplementationBase, SilaServer

UNIT = """<Constraints><Unit><Label>{label}</Label><Factor>1</Factor><Offset>{offset}</Offset>
  <UnitComponent><SIUnit>Kelvin</SIUnit><Exponent>1</Exponent></UnitComponent></Unit></Constraints>"""

DEFINITION = """<?xml version="1.0" encoding="utf-8" ?>
<Feature SiLA2Version="1.0" FeatureVersion="1.0" Originator="org.example" Category="tests"
  xmlns="http://www.sila-standard.org">
  <Identifier>OvenController</Identifier><DisplayName>Oven Controller</DisplayName><Description>Bakes.</Description>
  <Command>
    <Identifier>Bake</Identifier><DisplayName>Bake</DisplayName><Description>Bakes.</Description>
    <Observable>Yes</Observable>
    <Parameter><Identifier>Temperature</Identifier><DisplayName>Temperature</DisplayName><Description>T</Description>
      <DataType><Constrained><DataType><Basic>Real</Basic></DataType>{unit}</Constrained></DataType></Parameter>
    <Parameter><Identifier>HoldTime</Identifier><DisplayName>Hold Time</DisplayName><Description>t</Description>
      <DataType><Basic>Integer</Basic></DataType></Parameter>
    <Parameter><Identifier>Token</Identifier><DisplayName>Token</DisplayName><Description>Token</Description>
      <DataType><Basic>String</Basic></DataType></Parameter>
    <Response><Identifier>MassLoss</Identifier><DisplayName>Mass Loss</DisplayName><Description>m</Description>
      <DataType><Basic>Real</Basic></DataType></Response>
    <Response><Identifier>Begun</Identifier><DisplayName>Begun</DisplayName><Description>Jobs begun.</Description>
      <DataType><Basic>Integer</Basic></DataType></Response>
    <DefinedExecutionErrors><Identifier>SampleCracked</Identifier></DefinedExecutionErrors>
  </Command>
  <DefinedExecutionError><Identifier>SampleCracked</Identifier><DisplayName>Sample Cracked</DisplayName>
    <Description>It is in pieces.</Description></DefinedExecutionError>
</Feature>
"""


class Oven(FeatureImplementationBase):
    """Bakes for ``HoldTime`` tenths of a second; a sample cracks above 400 degC, and the oven fails at 0."""

    def __init__(self, server: SilaServer, feature: Feature) -> None:
        super().__init__(server)
        self._feature, self._begun = feature, 0
        self.Bake_default_lifetime_of_execution = timedelta(minutes=5)

    def Bake(  # noqa: N802 - the feature's name of it
        self, temperature: float, hold_time: int, token: str, *, metadata: Any, instance: Any
    ) -> tuple[float, int]:
        """Bake one sample."""
        del token, metadata
        self._begun += 1
        begun = self._begun
        if temperature == 0:
            raise RuntimeError("the door is open")
        if temperature > 400:
            raise DefinedExecutionError(self._feature.defined_execution_errors["SampleCracked"], "in pieces")
        for tenth in range(hold_time):
            instance.progress = (tenth + 0.5) / hold_time
            threading.Event().wait(0.1)
        return (temperature / 100, begun)


def main(port: int, label: str) -> None:
    """Serve an oven until the process is ended."""
    server = SilaServer("Oven", "Oven", "Bakes", "1.0", "https://example.org")
    feature = Feature(DEFINITION.format(unit=UNIT.format(label=label, offset=0 if label == "K" else 273.15)))
    server.set_feature_implementation(feature, Oven(server, feature))
    server.start_insecure("127.0.0.1", port, enable_discovery=False)
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
