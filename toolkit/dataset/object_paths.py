"""Files of a dataset in an object store, read as those on a disk are: whole, or a stretch by one ranged request."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, TypeVar, cast

from toolkit.errors import UsageError
from toolkit.locations import Location, store_to_read, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from obstore.store import ObjectStore

__all__ = ["READ_SCHEMES", "ObjectPath", "client_url", "readable", "storage_options"]

READ_SCHEMES: Final = frozenset({"s3", "gs", "az"})
"""Object stores that a dataset can be read from."""

_FROM_ENVIRONMENT: Final = {
    "s3": (("AWS_ENDPOINT_URL", "aws_endpoint_url"), ("AWS_SKIP_SIGNATURE", "aws_skip_signature")),
    "gs": (("GOOGLE_BASE_URL", "google_base_url"), ("GOOGLE_SKIP_SIGNATURE", "google_skip_signature")),
    "az": (
        ("AZURE_ENDPOINT", "azure_endpoint"),
        ("AZURE_STORAGE_ENDPOINT", "azure_endpoint"),
        ("AZURE_SKIP_SIGNATURE", "azure_skip_signature"),
    ),
}
"""Where a store answers, and whether without credentials: not every client reads these by itself."""

_PLAIN: Final = {"s3": "aws_allow_http", "gs": "google_allow_http", "az": "azure_allow_http"}

Answer = TypeVar("Answer")


class _Size(NamedTuple):
    st_size: int


@dataclass(frozen=True)
class ObjectPath:
    """A file or folder in an object store, with what readers of a dataset use of ``pathlib.Path``."""

    location: Location
    """Where it is."""

    def __truediv__(self, part: str) -> ObjectPath:
        return ObjectPath(self.location / part)

    def __str__(self) -> str:
        return self.location.url

    @property
    def name(self) -> str:
        """The last part."""
        return self.location.name

    @property
    def _store(self) -> ObjectStore:
        return store_to_read(self.location.bucket)

    def exists(self) -> bool:
        """Whether there is an object of this name, or one below it."""
        return _told(self, self.location.exists)

    def is_file(self) -> bool:
        """Whether there is an object of this name."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def stat(self) -> _Size:
        """Return its size."""
        return _Size(_told(self, lambda: int(self._store.head(self.location.key)["size"])))

    def read_bytes(self) -> bytes:
        """Return all of it."""
        return _told(self, lambda: bytes(self._store.get(self.location.key).bytes()))

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return all of it as text."""
        return self.read_bytes().decode(encoding)

    def read_range(self, start: int, size_bytes: int) -> bytes:
        """Return a stretch of it, by one request; less where it ends before."""
        return _told(self, lambda: bytes(self._store.get_range(self.location.key, start=start, length=size_bytes)))

    def open(self, mode: str = "rb", buffering: int = -1) -> BinaryIO:
        """Return it as a binary file that is read by ranged requests, which is all that it can be opened for."""
        assert mode == "rb"
        raw = _ObjectFile(self)
        return cast("BinaryIO", raw if buffering == 0 else io.BufferedReader(raw, 2**20))

    def glob(self, pattern: str) -> Iterator[ObjectPath]:
        """Yield the files below this folder whose path from here fits a pattern, whose stars end at a slash."""
        prefix = f"{self.location.key}/"
        for page in _told(self, lambda: list(self._store.list(prefix))):
            for meta in page:
                path = PurePosixPath(meta["path"].removeprefix(prefix))
                if len(path.parts) == pattern.count("/") + 1 and path.match(pattern):
                    yield self / path.as_posix()

    def relative_to(self, folder: ObjectPath) -> PurePosixPath:
        """Return the path from a folder above."""
        return PurePosixPath(self.location.url.removeprefix(f"{folder.location.url}/"))


def _told(path: ObjectPath, ask: Callable[[], Answer]) -> Answer:
    """Return what a store answers; its faults as those of a disk, without secrets."""
    try:
        return ask()
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no '{path}'") from None
    except UsageError:
        raise
    except Exception as fault:  # noqa: BLE001 -- of obstore's many kinds, whose text may hold signatures
        raise OSError(f"'{path}' cannot be read: {without_secrets(fault)}") from None


class _ObjectFile(io.RawIOBase):
    """An object as a raw file: each read is a ranged request."""

    def __init__(self, path: ObjectPath) -> None:
        super().__init__()
        self._path = path
        self._size_bytes = path.stat().st_size
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size_bytes}
        self._place = starts[whence] + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        size_bytes = min(len(buffer), self._size_bytes - self._place)
        if size_bytes <= 0:
            return 0
        found = self._path.read_range(self._place, size_bytes)
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)


def readable(path: Path | ObjectPath) -> Any:
    """Return what PyArrow and Polars can read a file from: its path, or an opened object."""
    return path.open("rb", buffering=0) if isinstance(path, ObjectPath) else path


def client_url(path: Path | ObjectPath) -> str:
    """Return what Delta Lake and Polars call a file or folder: they know no account of Azure in its address."""
    if isinstance(path, ObjectPath) and path.location.scheme == "az":
        return f"az://{path.location.url.removeprefix('az://').partition('/')[2]}"
    return str(path)


def storage_options(path: object) -> dict[str, str] | None:
    """Return what Delta Lake and Polars need to reach a store, beyond what they take from the environment; None for a disk."""
    if not isinstance(path, ObjectPath):
        return None
    options: dict[str, str] = {}
    scheme = path.location.scheme
    if scheme == "s3":
        options["aws_region"] = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    elif scheme == "az":
        options["azure_storage_account_name"] = path.location.bucket.removeprefix("az://").partition("/")[0]
    for variable, option in _FROM_ENVIRONMENT[scheme]:
        if value := os.environ.get(variable):
            options[option] = value
            if value.startswith("http://"):
                options[_PLAIN[scheme]] = "true"
    return options
