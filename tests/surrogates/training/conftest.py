from pathlib import Path

import pytest

from tests.trained import trained


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model of rock salts; not to be written to."""
    folder = tmp_path_factory.mktemp("models") / "salts"
    trained(folder)
    return folder
