"""Run by test_ray_cluster.py in a network namespace of its own: prints what it found as JSON."""

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
from pymatgen.core import DummySpecies, Lattice, Structure

from campaigns.errors import ModelError
from campaigns.lab.laboratory import RayConfig
from surrogates.features.composition import CompositionFeatures
from surrogates.features.embeddings import embed

HEAD = """
import sys, ray
ray.init(address="local", num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False,
         object_store_memory=80 * 2**20, configure_logging=False, _temp_dir=sys.argv[1])
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""


def cells(count: int) -> list[Structure]:
    return [Structure(Lattice.cubic(4 + 0.01 * i), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3]) for i in range(count)]


def raise_loopback() -> None:
    up, set_flags = 0x1, 0x8914
    with socket.socket() as control:
        fcntl.ioctl(control, set_flags, struct.pack("16sh", b"lo", up))


def refusal(address: str, folder: Path, structures: list[Structure]) -> str:
    try:
        embed(structures, CompositionFeatures(), folder, compute=RayConfig(kind="ray", address=address))
    except ModelError as error:
        return str(error)
    return "nothing was refused"


def main(folder: Path) -> None:
    raise_loopback()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    handler = signal.getsignal(signal.SIGTERM)
    head = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", HEAD, str(folder / "r")], stdin=-1, stdout=-1, text=True
    )
    address = head.stdout.readline().strip()
    here = CompositionFeatures().evaluate(cells(300)).vectors
    progress: list[tuple[int, int]] = []
    again: list[tuple[int, int]] = []

    def on_cluster(name: str, seen: list[tuple[int, int]], cache: str) -> bool:
        compute = RayConfig(kind="ray", address=name)
        report = lambda *counts: seen.append(counts)  # noqa: E731
        found = embed(cells(300), CompositionFeatures(), folder / cache, report, compute)
        return bool(np.array_equal(found.vectors, here))

    equal = {"address": on_cluster(address, progress, "one"), "auto": on_cluster("auto", [], "two")}
    on_cluster(address, again, "one")
    unknown = [Structure(Lattice.cubic(4), [DummySpecies("X")], [[0, 0, 0]])]
    model_error = refusal(address, folder / "three", unknown)
    head.communicate()  # its input ends, and the cluster with it
    said = {
        "equal": equal,
        "progress": progress,
        "again": again,
        "model error": model_error,
        "unreachable": {name: refusal(name, folder / "four", cells(1)) for name in ("127.0.0.1:1", "auto")},
        "handler kept": signal.getsignal(signal.SIGTERM) == handler,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
