"""Shards put into and read from an object store over its own protocol; and whether the endpoint is one whose speed counts.

An emulator answers as an object store does and is none: its rate is that of a test program. What is known to be one is
used to check that every byte survives the way there and back, and no rate of it is kept.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from toolkit.errors import TonnageError
from toolkit.locations import GIVE_UP_S, SILENCE_S, Location, store_at, without_secrets
from toolkit.measurement.windows import Probe, Tally, run_threads
from toolkit.measurement.wires import Meter
from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["ObjectGet", "ObjectHead", "ObjectPut", "ObjectTarget", "emulator_at"]

_PROBE_TIMEOUT_S: Final = 5
_HOSTS: Final = {"s3": "s3.amazonaws.com", "gs": "storage.googleapis.com", "gcs": "storage.googleapis.com"}


def emulator_at(endpoint: str) -> str:
    """Return what shows that an HTTP endpoint is an emulator of an object store; an empty text for what may be a real one.

    Notes
    -----
    moto answers through Werkzeug, Python's development server, and has a page of its own at ``/moto-api/``; LocalStack
    has ``/_localstack/health``. An endpoint that hides what it is cannot be told from a store.

    Source: moto ``docs/docs/server_mode.rst`` (``/moto-api``); LocalStack documentation, "Internal endpoints".
    """
    import urllib3

    if not endpoint:
        return ""
    pool = urllib3.PoolManager(timeout=_PROBE_TIMEOUT_S, retries=False)
    for place, name in (("/moto-api/data.json", "moto"), ("/_localstack/health", "LocalStack")):
        try:
            answer = pool.request("GET", endpoint.rstrip("/") + place)
        except urllib3.exceptions.HTTPError:
            continue
        server = answer.headers.get("Server", "")
        if "werkzeug" in server.lower():
            return f"it answers through {server.split(' ')[0]}, a development server, as moto does"
        if answer.status == 200 and "json" in answer.headers.get("Content-Type", ""):
            return f"it has {name}'s page '{place}'"
    return ""


class ObjectTarget:
    """A prefix of a bucket, with some shards in it while it is measured; nothing of it stays.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix`` or another object store.
    paths : sequence of Path
        Shards to put there for reading.
    options : mapping
        ``endpoint``, ``region`` and what else the store knows; the environment says the rest.
    run : str
        Name of the run: objects lie below ``prefix/.tonnage-RUN``.
    """

    def __init__(self, url: str, paths: Sequence[Path], options: Mapping[str, str], run: str) -> None:
        self.url = url
        place = Location(url)
        asked = place.bucket, tuple(sorted(options.items()))
        self.store: Any = store_at(*asked)
        self.listed: Any = store_at(*asked, deadline_s=GIVE_UP_S, silence_s=SILENCE_S)
        self.run_prefix = "/".join(part for part in (place.key, f".tonnage-{run}") if part)
        self.prefix = f"{self.run_prefix}/{os.getpid()}"
        self.paths = tuple(paths)
        self.sizes = {path: path.stat().st_size for path in paths}
        self.endpoint = str(options.get("endpoint") or options.get("aws_endpoint") or os.environ.get("AWS_ENDPOINT_URL", ""))
        self.host = urlsplit(self.endpoint).hostname or _HOSTS.get(place.scheme, "")
        self._is_filled = False

    def reach(self) -> None:
        """List the prefix, to find out whether the store can be had at all.

        Raises
        ------
        TonnageError
            If it cannot.
        """
        try:
            next(iter(self.listed.list(self.run_prefix)), None)
        except Exception as fault:  # noqa: BLE001 -- of obstore's many kinds
            raise TonnageError(f"the object store of '{self.url}' cannot be had: {without_secrets(fault)}") from None

    def key(self, name: str) -> str:
        """Return the key of an object of this run."""
        return f"{self.prefix}/{name}"

    def fill(self) -> None:
        """Put the shards there, once, and check each."""
        if self._is_filled:
            return
        for number, path in enumerate(self.paths):
            self.store.put(self.key(str(number)), path)
            self.check(self.key(str(number)), path)
        self._is_filled = True

    def check(self, key: str, path: Path) -> None:
        """Read an object back and compare its sha256 with the file's.

        Raises
        ------
        TonnageError
            If they differ.
        """
        digest = hashlib.sha256()
        for chunk in self.store.get(key).stream():
            digest.update(chunk)
        with path.open("rb") as file:
            expected = hashlib.file_digest(file, "sha256").hexdigest()
        if digest.hexdigest() != expected:
            raise TonnageError(f"the object '{key}' does not hold what was written: its sha256 differs")

    def proven(self) -> int:
        """Write every shard, read all of it back whole and a range of it, and return how many were right.

        Raises
        ------
        TonnageError
            If one was not.
        """
        self.fill()
        for number, path in enumerate(self.paths):
            size_bytes = self.sizes[path]
            first = size_bytes // 3
            with path.open("rb") as file:
                file.seek(first)
                expected = file.read(MIB)
            if bytes(self.store.get_range(self.key(str(number)), start=first, length=len(expected))) != expected:
                raise TonnageError(f"a range of the object '{self.key(str(number))}' does not hold the bytes of its shard")
        return len(self.paths)

    def empty(self, *, is_whole_run: bool = False) -> None:
        """Delete everything that this process, or every process of the run, has put there.

        Raises
        ------
        TonnageError
            If something is still there afterwards.
        """
        prefix = self.run_prefix if is_whole_run else self.prefix
        keys = [entry["path"] for batch in self.store.list(prefix) for entry in batch]
        if keys:
            self.store.delete(keys)
        left = [entry["path"] for batch in self.store.list(prefix) for entry in batch]
        if left:
            raise TonnageError(f"{len(left)} objects could not be deleted; remove '{prefix}' by hand")


class ObjectProbe(Probe):
    """What all uses of a store share: the target, its streams, and what a window took."""

    def __init__(self, target: ObjectTarget, streams: int, *, is_upload: bool = False) -> None:
        self.target = target
        self.member_count = streams
        self.meter = Meter(target.host, is_upload=is_upload)
        self._numbers = itertools.count()

    def prepare(self) -> None:
        """Take the counters."""
        self.meter.begin()

    def run(self, deadline_s: float) -> Tally:
        """Work in as many threads as there are streams."""
        try:
            return run_threads([partial(self._work, deadline_s)] * self.member_count)
        except Exception as fault:
            if isinstance(fault, (OSError, TonnageError)):
                raise
            raise TonnageError(f"the object store failed: {without_secrets(fault)}") from None  # of obstore's many kinds

    def _work(self, deadline_s: float) -> Tally:
        count = size_bytes = 0
        while True:
            asked_s = time.perf_counter()
            size_bytes += self._once(next(self._numbers))
            self.meter.note(asked_s)
            count += 1
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes)

    def _once(self, number: int) -> int:
        raise NotImplementedError

    def wire(self) -> dict[str, Any] | None:
        """Return what the window took; the store says nothing of its processors."""
        return self.meter.end()

    def times_s(self) -> Sequence[float]:
        """Return the times of the window's requests."""
        return self.meter.times_s


class ObjectGet(ObjectProbe):
    """Ranges of the shards in the store."""

    def __init__(self, target: ObjectTarget, range_bytes: int, streams: int) -> None:
        super().__init__(target, streams)
        self._ranges = [
            (str(number), first, min(range_bytes, size - first))
            for number, size in enumerate(target.sizes.values())
            for first in range(0, size, range_bytes)
            if size - first >= range_bytes or size < range_bytes
        ]

    def open(self) -> None:
        """Put the shards there, if they are not."""
        self.target.fill()

    def _once(self, number: int) -> int:
        name, first, length_bytes = self._ranges[number % len(self._ranges)]
        got = len(self.target.store.get_range(self.target.key(name), start=first, length=length_bytes))
        if got != length_bytes:
            raise TonnageError(f"a range of {length_bytes} bytes of '{self.target.key(name)}' came with {got}")
        return got


class ObjectHead(ObjectProbe):
    """The facts of one object: a request without payload."""

    def open(self) -> None:
        """Put the shards there, if they are not."""
        self.target.fill()

    def _once(self, number: int) -> int:
        self.target.store.head(self.target.key(str(number % len(self.target.paths))))
        return 0


class ObjectPut(ObjectProbe):
    """Whole shards, in parts where they are large; each is read back and compared outside the clock, then deleted."""

    def __init__(self, target: ObjectTarget, streams: int) -> None:
        super().__init__(target, streams, is_upload=True)
        self._unchecked: dict[str, Path] = {}

    def _once(self, number: int) -> int:
        path = self.target.paths[number % len(self.target.paths)]
        key = self.target.key(f"put-{number % (2 * self.member_count)}")
        self.target.store.put(key, path)
        self._unchecked[key] = path
        return self.target.sizes[path]

    def close(self) -> None:
        """Check what was put, then delete it."""
        try:
            for key, path in self._unchecked.items():
                self.target.check(key, path)
        finally:
            if self._unchecked:
                self.target.store.delete(list(self._unchecked))
            self._unchecked = {}
