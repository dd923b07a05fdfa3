"""What the commands of a campaign load, all at once; tests fork their processes from one that has imported this."""

import gc
import importlib
import pkgutil

import loop.cli
import loop.service
import loop.terminal
import loop.validation
from campaigns.units import registry

_PACKAGES = (loop.cli, loop.service, loop.terminal, loop.validation)
_OURS = (
    "instruments.analyses.calcination",
    "instruments.analyses.galvanostatic",
    "instruments.analyses.plain_readings",
    "loop.planning.export",
    "loop.planning.model_inspection",
    "loop.report.campaign_report",
    "loop.run",
    "simulators.lab_factory",
    "surrogates.features.chgnet_model",
    "surrogates.features.composition",
    "surrogates.features.physical",
    "surrogates.features.sites",
    "surrogates.features.valence",
    "surrogates.predictors.voltage",
    "tests.quick_botorch",
)
_WHEN_USED = (
    "ophyd_async",  # Bluesky looks whether it is there
    "pymatgen.io.registry",
    "sklearn.tree",
    "sqlalchemy.dialects.sqlite",
    "sympy.tensor.tensor",
    "torch.fx.experimental.symbolic_shapes",
)
"""What libraries import where they first need it."""

for package in _PACKAGES:
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
for name in (*_OURS, *_WHEN_USED):
    importlib.import_module(name)
registry()
gc.freeze()  # else each process would go through all of this, and so copy it
