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
from urllib.parse import urlsplit

from toolkit.errors import UsageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["GIVE_UP_S", "OBJECT_STORES", "SILENCE_S", "Location", "is_silence", "store_at", "store_to_read", "without_secrets"]

OBJECT_STORES: Final = {
    "s3": 1, "s3a": 1, "gs": 1, "gcs": 1, "az": 2, "azure": 2, "abfs": 1, "abfss": 1, "memory": 1
}  # fmt: skip
"""Schemes of object stores, and how many parts of the path name the bucket: ``az://account/container/path``."""

_WEB: Final = frozenset({"http", "https"})
_YES: Final = frozenset({"1", "true", "yes"})
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL", "GOOGLE_BASE_URL", "AZURE_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
"""Where the environment says that a store of one's own answers."""

SILENCE_S: Final = 30
"""How long a store that a dataset is read from may send nothing until it is asked again."""
GIVE_UP_S: Final = 60
"""How long after it was first asked it is asked again."""

_METADATA_SERVICE: Final = "169.254.169.254"
"""Where clouds give machines their credentials; elsewhere nothing answers there."""

_SILENT: Final = re.compile(r"TimedOut|kind: Timeout|timed out")
_WAITED: Final = re.compile(r"in ([\d.]+)s(?:, after (\d+) retries)?")
_REFUSED: Final = re.compile(r"status code: (\d{3} [A-Za-z ]+)")
_CODE: Final = re.compile(r"<Code>(\w{1,80})</Code>")
_CHECK: Final = "check the endpoint and the region, or try again later"
_ADVICE: Final = dict.fromkeys(("401", "403"), "check the credentials, and what they allow") | {
    "404": "check the bucket or container, and the endpoint"
}
"""What to do about statuses that stay."""
_WRAPPED: Final = re.compile(r"\s*\n\s*(?:\x1b\[\d+m)?↳(?:\x1b\[\d+m)?\s*")
"""What deltalake puts between a fault and its cause."""


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
        """``file`` for a local path, else what stands before ``://``, which is the same in capitals (RFC 3986, section 3.1)."""
        return self.url.split("://", 1)[0].lower() if "://" in self.url else "file"

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
        return self.url.partition("://")[2].removeprefix(self.bucket.partition("://")[2]).lstrip("/")

    def __truediv__(self, part: str) -> Location:
        return Location(f"{self.url}/{part}")

    def exists(self) -> bool:
        """Whether something is there."""
        if self.is_local:
            return self.path.exists()
        store = store_to_read(self.bucket)
        try:
            store.head(self.key)
        except FileNotFoundError:
            return any(store.list(self.key or None, chunk_size=1))
        return True

    def __str__(self) -> str:
        return self.url


@lru_cache(32)
def store_at(
    bucket: str,
    options: tuple[tuple[str, str], ...],
    *,
    try_s: float = 600,
    deadline_s: float = 60,
    silence_s: float | None = None,
) -> ObjectStore:
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
    silence_s : float, optional
        Longest time without a byte of an answer, seconds. Not for stores that are written to: while a long body is sent,
        no answer comes.

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
    if silence_s is not None:
        client["read_timeout"] = timedelta(seconds=silence_s)
    is_plain = any(str(value).startswith("http://") for value in (*config.values(), *map(os.environ.get, _ENDPOINTS)))
    if str(config.pop("allow_http", "")).lower() in _YES or is_plain:
        client["allow_http"] = True
    retry: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=deadline_s)}
    try:
        opened: ObjectStore = from_url(place, client_options=client, retry_config=retry, **config)  # type: ignore[call-overload]  # options go by the store's kind
    except Exception as fault:  # noqa: BLE001 -- of obstore's many kinds
        raise UsageError(f"'{bucket}' cannot be reached this way: {without_secrets(fault)}") from None  # whose text holds options
    return opened


def store_to_read(bucket: str) -> ObjectStore:
    """Return the client of a bucket that a dataset is read from, as the environment says; it does not wait for ever."""
    if bucket.startswith("memory://"):
        return store_at(bucket, ())  # of which there is one, that is written to as well
    return store_at(bucket, (), deadline_s=GIVE_UP_S, silence_s=SILENCE_S)


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


def is_silence(fault: BaseException) -> bool:
    """Return whether a store was asked and did not answer in time."""
    return _SILENT.search(str(fault)) is not None


def without_secrets(fault: BaseException) -> str:
    r"""Return the first line of a fault of a store, without what may be a signature or a key; in words if none came back.

    Examples
    --------
    >>> without_secrets(OSError("GET https://a.b/c?sig=abc failed: 403\n\nDebug source: ..."))
    'GET https://a.b/c?... failed: 403'
    >>> without_secrets(OSError("Error performing GET https://a.b/c?sig=abc in 60.02s, after 1 retries\n\nkind: Timeout"))
    'https://a.b gave no answer within 60 s (asked 2 times); check the endpoint and the network, then run it again'
    """
    text = _WRAPPED.sub(": ", str(fault).strip())
    if _METADATA_SERVICE in text:
        return (
            "no credentials were found; set them in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "AZURE_STORAGE_ACCOUNT_KEY, GOOGLE_APPLICATION_CREDENTIALS), or read what is public without any "
            "(--storage-option anonymous=true, or AWS_SKIP_SIGNATURE=true and the like for a dataset)"
        )
    if is_silence(fault):
        return _silence(text)
    if refused := _REFUSED.search(text):
        code = _CODE.search(text)
        named = f" ({code[1]})" if code else ""
        return f"{_host(text)} answers {refused[1].strip()}{named}; {_ADVICE.get(refused[1][:3], _CHECK)}"
    line = text.split("\n", 1)[0]
    return re.sub(r"\?[^\s)\"']+", "?...", line)[:300]


def _silence(text: str) -> str:
    """Return what a client that waited in vain says, in words."""
    found = _WAITED.search(text)
    waited = f"within {float(found[1]):.0f} s" if found else "in time"
    tries = int(found[2] or 0) + 1 if found else 1
    times = "once" if tries == 1 else f"{tries} times"
    return f"{_host(text)} gave no answer {waited} (asked {times}); check the endpoint and the network, then run it again"


def _host(text: str) -> str:
    """Return who was asked, without a password."""
    asked = re.search(r"https?://[^\s?)\"']+", text)
    place = urlsplit(asked[0]) if asked else None
    return f"{place.scheme}://{place.netloc.rpartition('@')[2]}" if place else "the store"
