"""Names of files and folders beside the campaign file.

A name is kept as written, so that a campaign that is moved together with its files is still the same campaign.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from campaigns.config import Config

PARENT = "folder of the campaign file"
"""Key of the validation context for the folder of the campaign file."""


class RelativePathConfig(Config):
    """A section that names a file or a folder, beside the campaign file or absolute."""

    _parent: Path = PrivateAttr(default_factory=Path)

    def model_post_init(self, context: Any) -> None:
        """Keep the folder in which relative names are looked up; without one, the working directory."""
        self._parent = (context or {}).get(PARENT) or Path()

    def beside(self, name: str) -> Path:
        """Return where a name leads, absolute."""
        return (self._parent / name).absolute()
