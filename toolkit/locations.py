"""Any location a user names (a path, ``s3://``, ``gs://``, ``az://``, ``https://``) as a filesystem and a path on it.

Local disk, S3, GCS, Azure and HTTP go through fsspec; what is not installed is named with its extra. Credentials come
from the environment and are never printed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolkit.errors import ExtraError, UsageError

if TYPE_CHECKING:
    import fsspec

__all__ = ["Location"]

_EXTRAS: Final = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "http": "http",
    "https": "http",
}


@dataclass(frozen=True)
class Location:
    """A place that bytes can be read from or written to."""

    url: str
    """What the user wrote, without a trailing slash; a local path is made absolute."""

    @classmethod
    def of(cls, place: str | os.PathLike[str] | Location) -> Location:
        """Return the location of a path or URL."""
        if isinstance(place, Location):
            return place
        text = os.fspath(place)
        if not text:
            raise UsageError("an empty path was given; name a folder, a file or a URL")
        if "://" not in text:
            return cls(str(Path(text).expanduser().absolute()))
        if text.startswith("file://"):
            return cls(str(Path(text.removeprefix("file://")).absolute()))
        return cls(text.rstrip("/"))

    @property
    def scheme(self) -> str:
        """``file`` for a local path, else what stands before ``://``."""
        return self.url.split("://", 1)[0] if "://" in self.url else "file"

    @property
    def is_local(self) -> bool:
        """Whether this is a path of this machine."""
        return self.scheme == "file"

    @property
    def name(self) -> str:
        """The last part."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def path(self) -> Path:
        """The local path; only for a local location."""
        if not self.is_local:
            raise UsageError(f"'{self.url}' is not on this machine's disk; a local path is needed here")
        return Path(self.url)

    @cached_property
    def filesystem(self) -> fsspec.AbstractFileSystem:
        """The fsspec filesystem that reads and writes here."""
        import fsspec

        try:
            return fsspec.filesystem(self.scheme)
        except ImportError as fault:
            extra = _EXTRAS.get(self.scheme)
            hint = f"pip install 'tonnage[{extra}]'" if extra else str(fault)
            raise ExtraError(f"'{self.url}' needs a part that is not installed: {hint}") from fault
        except ValueError as fault:
            raise UsageError(f"'{self.url}': '{self.scheme}://' is not a kind of location that is known") from fault

    @property
    def fs_path(self) -> str:
        """The path as ``filesystem`` wants it."""
        return self.url if self.is_local or self.scheme in {"http", "https"} else self.url.split("://", 1)[1]

    def __truediv__(self, part: str) -> Location:
        return Location(f"{self.url}/{part}")

    def exists(self) -> bool:
        """Whether something is there."""
        return bool(self.path.exists()) if self.is_local else bool(self.filesystem.exists(self.fs_path))

    def __str__(self) -> str:
        return self.url
