"""The same call embeds on a Ray cluster: a local one, in a network namespace that has nothing but loopback."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from campaigns.errors import ModelError
from campaigns.lab.laboratory import RayConfig
from surrogates.features.composition import CompositionFeatures
from surrogates.features.embeddings import embed
from surrogates.parallel import ray_cluster
from tests.surrogates.parallel.on_a_ray_cluster import cells

ISOLATED = ["unshare", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
SCRIPT = Path(__file__).with_name("on_a_ray_cluster.py")


def test_without_ray_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _name: None)
    with pytest.raises(ModelError, match=r"pip install 'athanor-sdl\[ray\]'"):
        embed(cells(3), CompositionFeatures(), tmp_path, compute=RayConfig(kind="ray"))


@pytest.fixture(scope="module")
def said() -> Iterator[dict[str, Any]]:
    """Return what the script found in its namespace; it starts a cluster once for all tests, in about 20 s."""
    if reason := ray_cluster.trouble():
        pytest.skip(reason)
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare command: Ray would look for addresses outside")
    possible = subprocess.run([*ISOLATED, "true"], capture_output=True, text=True)
    if possible.returncode:
        pytest.skip(f"no network namespace can be made: {possible.stderr.strip()}")
    short = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # Ray's sockets have to have short names
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "HOME": short, "RAY_AUTH_MODE": "disabled"}
    command = [*ISOLATED, sys.executable, "-W", "ignore", str(SCRIPT), short]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)
    finally:
        shutil.rmtree(short)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_rows_are_those_of_this_machine(said: dict[str, Any]) -> None:
    assert said["equal"] == {"address": True, "auto": True}


def test_progress_is_told_and_nothing_is_computed_twice(said: dict[str, Any]) -> None:
    assert said["progress"][0] == [0, 300]
    assert said["progress"][-1] == [300, 300]
    assert said["again"] == []


def test_an_error_of_the_model_arrives_as_it_is(said: dict[str, Any]) -> None:
    assert said["model error"].startswith("got X0+")


def test_a_cluster_that_is_not_there_is_refused_at_once(said: dict[str, Any]) -> None:
    for address in ("127.0.0.1:1", "auto"):
        assert said["unreachable"][address].startswith(f"no Ray cluster at {address}")
        assert "ray start --head" in said["unreachable"][address]


def test_the_handler_of_sigterm_stays(said: dict[str, Any]) -> None:
    assert said["handler kept"]
