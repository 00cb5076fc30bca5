"""Any location a user names (a path, ``s3://``, ``gs://``, ``az://``, ``https://``), and the object store that answers for it.

One client (obstore) speaks to S3, GCS and Azure; why, stands in ``docs/decisions/0003-object-stores.md``. Credentials come from
the environment or from options, and are never printed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import UsageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["OBJECT_STORES", "Location", "store_at", "without_secrets"]

OBJECT_STORES: Final = {
    "s3": 1, "s3a": 1, "gs": 1, "gcs": 1, "az": 2, "azure": 2, "abfs": 1, "abfss": 1, "memory": 1
}  # fmt: skip
"""Schemes of object stores, and how many parts of the path name the bucket: ``az://account/container/path``."""

_WEB: Final = frozenset({"http", "https"})
_YES: Final = frozenset({"1", "true", "yes"})
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL", "GOOGLE_BASE_URL", "AZURE_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
"""Where the environment says that a store of one's own answers."""


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
    def is_web(self) -> bool:
        """Whether this is a plain HTTP address."""
        return self.scheme in _WEB

    @property
    def name(self) -> str:
        """The last part."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def path(self) -> Path:
        """The local path; only for a local location."""
        if not self.is_local:
            raise UsageError(
                f"'{self.url}' is not on this machine's disk, which is needed here; copy it to a folder, and name that"
            )
        return Path(self.url)

    @property
    def bucket(self) -> str:
        """The URL of the bucket or container of an object store."""
        depth = OBJECT_STORES.get(self.scheme)
        if depth is None:
            raise UsageError(f"'{self.url}': '{self.scheme}://' is not a kind of location that is known")
        parts = self.url.split("://", 1)[1].split("/")
        if len(parts) < depth or not all(parts[:depth]):
            raise UsageError(
                f"'{self.url}' names no bucket; write {self.scheme}://{'/'.join(['account', 'bucket'][-depth:])}/path"
            )
        return f"{self.scheme}://{'/'.join(parts[:depth])}"

    @property
    def key(self) -> str:
        """The path within the bucket; empty for the bucket itself."""
        return self.url.removeprefix(self.bucket).lstrip("/")

    def __truediv__(self, part: str) -> Location:
        return Location(f"{self.url}/{part}")

    def exists(self) -> bool:
        """Whether something is there."""
        if self.is_local:
            return self.path.exists()
        store = store_at(self.bucket, ())
        try:
            store.head(self.key)
        except FileNotFoundError:
            return any(store.list(self.key or None, chunk_size=1))
        return True

    def __str__(self) -> str:
        return self.url


@lru_cache(32)
def store_at(bucket: str, options: tuple[tuple[str, str], ...], *, try_s: float = 600, deadline_s: float = 60) -> ObjectStore:
    """Return the client of a bucket; one per process.

    Parameters
    ----------
    bucket : str
        Its URL.
    options : tuple of (str, str)
        ``endpoint``, ``region``, ``anonymous`` and whatever obstore knows for that store; the environment says the rest.
    try_s : float
        Longest time of one request, seconds.
    deadline_s : float
        How long after its first try a request may be tried again, seconds.

    Raises
    ------
    UsageError
        If the store does not know an option, or the address is none.
    """
    from datetime import timedelta

    from obstore.store import MemoryStore, from_url

    if bucket.startswith("memory://"):
        return MemoryStore()
    place, config = _addressed(bucket, dict(options))
    if str(config.pop("anonymous", "")).lower() in _YES:
        config["skip_signature"] = "true"
    client: dict[str, Any] = {"connect_timeout": timedelta(seconds=min(10, try_s)), "timeout": timedelta(seconds=try_s)}
    is_plain = any(str(value).startswith("http://") for value in (*config.values(), *map(os.environ.get, _ENDPOINTS)))
    if str(config.pop("allow_http", "")).lower() in _YES or is_plain:
        client["allow_http"] = True
    retry: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=deadline_s)}
    try:
        opened: ObjectStore = from_url(place, client_options=client, retry_config=retry, **config)  # type: ignore[call-overload]  # options go by the store's kind
    except Exception as fault:  # noqa: BLE001 -- of obstore's many kinds
        raise UsageError(f"'{bucket}' cannot be reached this way: {without_secrets(fault)}") from None  # whose text holds options
    return opened


def _addressed(bucket: str, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a bucket's URL as obstore reads it, and its options by obstore's names: an account of Azure is one of them.

    Examples
    --------
    >>> _addressed("az://account/container", {})
    ('az://container', {'account_name': 'account'})
    >>> _addressed("gcs://bucket", {"endpoint": "http://127.0.0.1:9023"})
    ('gs://bucket', {'base_url': 'http://127.0.0.1:9023'})
    """
    scheme, _, rest = bucket.partition("://")
    if OBJECT_STORES.get(scheme) == 2:
        account, _, container = rest.partition("/")
        return f"az://{container}", {"account_name": account, **config}
    if scheme in {"gs", "gcs"}:
        if "endpoint" in config:
            config["base_url"] = config.pop("endpoint")
        return f"gs://{rest}", config
    return bucket, config


def without_secrets(fault: BaseException) -> str:
    r"""Return the first line of a fault of a store, without what may be a signature or a key.

    Examples
    --------
    >>> without_secrets(OSError("GET https://a.b/c?sig=abc failed: 403\n\nDebug source: ..."))
    'GET https://a.b/c?... failed: 403'
    """
    line = str(fault).strip().split("\n", 1)[0]
    return re.sub(r"\?[^\s)\"']+", "?...", line)[:300]
