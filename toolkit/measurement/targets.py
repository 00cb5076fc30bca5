"""What ``--to`` names and is measured there: ``tonnage serve`` on another host, a prefix of an object store, another folder."""

from __future__ import annotations

import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import UsageError
from toolkit.locations import OBJECT_STORES
from toolkit.measurement import copying, objects, transfer
from toolkit.measurement.caches import filesystem_of
from toolkit.measurement.flight_reading import FlightGet
from toolkit.measurement.flights import FLIGHT_BATCH_ROWS
from toolkit.measurement.peers import RemotePeer, split_address
from toolkit.measurement.stages import LOOPBACK_LIMITS, CeilingRule, Stage, ceiling_stages
from toolkit.measurement.wires import interface_facts, interface_to, path_to
from toolkit.units import KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import ExitStack

    from toolkit.measurement.plans import Plan
    from toolkit.measurement.subject import Subject
    from toolkit.measurement.windows import Probe

__all__ = ["MIN_WINDOW_S", "Targets", "check_target", "clear_target", "kind_of_target", "link_facts", "stages_to"]

MIN_WINDOW_S: Final = 0.3
"""No shorter window over a link: what waits in its buffers would be a part of the figure."""

_REMOTE_LIMITS: Final = (
    "Payload at the Python interface, from the server's page cache over the link as it was just then, shared with whoever "
    "else uses it; wire bytes are all that passed the interface."
)
_STORE_LIMITS: Final = (
    "Payload at the Python interface, over the link and the store's own front end as they were just then; its caches, "
    "throttling after minutes and cost of requests are not in it."
)
_FOLDER_LIMITS: Final = (
    "Whole shards from the page cache, one file after another in each stream, fsynced; what the drive still holds in its own "
    "memory after fsync is out of sight."
)


def kind_of_target(to: str) -> str:
    """Return what a target is: ``peer``, ``objects`` or ``folder``.

    Raises
    ------
    UsageError
        If it is none of these.

    Examples
    --------
    >>> kind_of_target("s3://bucket/prefix"), kind_of_target("/mnt/other"), kind_of_target("nas:8470")
    ('objects', 'folder', 'peer')
    """
    scheme, separator, _ = to.partition("://")
    if separator and scheme in OBJECT_STORES:
        return "objects"
    if separator:
        raise UsageError(f"'{to}': a transfer goes to host:port, to s3://bucket/prefix or to a folder, not to '{scheme}://'")
    if to.startswith((".", "/", "~")) or Path(to).is_dir():
        return "folder"
    split_address(to)
    return "peer"


def check_target(to: str, token: str, storage: Mapping[str, str]) -> None:
    """Find out before anything starts whether a target can be had.

    Raises
    ------
    UsageError
        If it is not a target, or the token is wrong.
    TonnageError
        If nothing is there.
    """
    kind = kind_of_target(to)
    if kind == "peer":
        RemotePeer(to, token)
    elif kind == "objects":
        objects.ObjectTarget(to, (), storage, "check").reach()
    elif kind == "folder" and not Path(to).expanduser().is_dir():
        raise UsageError(f"'{to}' is not a folder; a copy is measured into a folder that is there")


def clear_target(options: Mapping[str, Any]) -> None:
    """Remove what processes that did not end in order have left; the others have removed it themselves."""
    to, run = str(options["to"]), str(options["run"])
    if kind_of_target(to) == "folder":
        shutil.rmtree(_folder(to, run), ignore_errors=True)
    elif kind_of_target(to) == "objects":
        objects.ObjectTarget(to, (), dict(options.get("storage", {})), run).empty(is_whole_run=True)


def link_facts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of the way to a target before anything goes over it; nothing without a target."""
    to = str(options.get("to", ""))
    if not to:
        return {}
    if kind_of_target(to) == "folder":
        return {"target": {"filesystem": filesystem_of(Path(to).expanduser())}}
    if kind_of_target(to) == "peer":
        host = split_address(to)[0]
        return {"target": {"path": path_to(host)} | interface_facts(interface_to(host))}
    return {}


def _folder(to: str, run: str) -> Path:
    return Path(to).expanduser() / f".tonnage-{run}"


def stages_to(plan: Plan, core_count: int, to: str) -> tuple[Stage, ...]:
    """Return what is measured of the way to a target, ceilings first; over a link no window is shorter than ``MIN_WINDOW_S``."""
    streams = (1, 2, 4, 8, 16) if plan.is_wide else (1, 4)
    sizes = (4 * KIB, 64 * KIB, MIB, 8 * MIB) if plan.is_wide else (64 * KIB, MIB, 8 * MIB)
    kind = kind_of_target(to)
    if kind == "peer":
        return tuple(_peer_stages(to, streams, sizes, max(plan.window_s, MIN_WINDOW_S)))
    if kind == "objects":
        return tuple(_object_stages(plan, core_count, to, streams, sizes))
    return tuple(_folder_stages(to, sorted({1, core_count})))


def _peer_stages(to: str, streams: tuple[int, ...], sizes: tuple[int, ...], window_s: float) -> Iterator[Stage]:
    limits = LOOPBACK_LIMITS if path_to(split_address(to)[0]) == "loopback" else _REMOTE_LIMITS
    shared: dict[str, Any] = {"family": "transfer", "limits": limits, "window_s": window_s}
    for protocol in ("tcp", "http"):
        yield Stage(
            metric="ceiling.round_trip", title=f"Round trip of a byte by {protocol.upper()}", unit="s",
            conditions={"to": to, "protocol": protocol}, **shared,
        )  # fmt: skip
    for count in streams:
        yield Stage(
            metric="ceiling.tcp_peer", title=f"TCP from the peer, {_streams(count)}", unit="bytes_per_s",
            conditions={"to": to, "streams": count, "source": "memory"}, **shared,
        )  # fmt: skip
    socket = "A plain socket over the same link, best of its numbers of streams, from memory; nothing is parsed."
    rule = CeilingRule(metric="ceiling.tcp_peer", match={"to": to}, explanation=socket)
    said, facts = "HTTP ranges of {} from the peer", {"to": to, "client": "http.client"}
    yield from _range_stages("transfer.http_range", said, facts, streams, sizes, ceiling=rule, **shared)
    for count in streams:
        yield Stage(
            metric="transfer.flight", title=f"Arrow Flight from the peer, {_streams(count)}", unit="bytes_per_s", ceiling=rule,
            conditions={"to": to, "request": "row group", "batch_rows": FLIGHT_BATCH_ROWS, "streams": count}, **shared,
        )  # fmt: skip


def _object_stages(plan: Plan, core_count: int, to: str, streams: tuple[int, ...], sizes: tuple[int, ...]) -> Iterator[Stage]:
    yield from (s for s in ceiling_stages(plan, core_count, 1.0) if s.metric == "ceiling.tcp_loopback")
    shared: dict[str, Any] = {"family": "transfer", "limits": _STORE_LIMITS, "window_s": max(plan.window_s, MIN_WINDOW_S)}
    yield Stage(
        metric="ceiling.round_trip", title="Facts of an object", unit="s", conditions={"to": to, "protocol": "head"},
        **shared,
    )  # fmt: skip
    cpu = "Plain TCP on this machine alone: what both ends' processors could do with no network between them."
    rule = CeilingRule(metric="ceiling.tcp_loopback", match={}, explanation=cpu)
    said, facts = "Ranges of {} from the store", {"to": to, "client": "obstore"}
    yield from _range_stages("transfer.object_get", said, facts, streams, sizes, ceiling=rule, **shared)
    for count in streams:
        yield Stage(
            metric="transfer.object_put", title=f"Shards to the store, {_streams(count)}", unit="bytes_per_s", ceiling=rule,
            conditions={"to": to, "object": "shard", "streams": count, "client": "obstore"}, **shared,
        )  # fmt: skip


def _range_stages(
    metric: str, said: str, facts: dict[str, Any], streams: tuple[int, ...], sizes: tuple[int, ...], **shared: Any
) -> Iterator[Stage]:
    """Yield the sweep of a protocol that reads ranges: each size with each number of streams."""
    for size in sizes:
        for count in streams:
            title = f"{said.format(_size(size))}, {_streams(count)}"
            conditions = {"range_bytes": size, "streams": count, **facts}
            yield Stage(metric=metric, title=title, unit="bytes_per_s", conditions=conditions, **shared)


def _folder_stages(to: str, streams: list[int]) -> Iterator[Stage]:
    shared: dict[str, Any] = {"family": "transfer", "limits": _FOLDER_LIMITS, "unit": "bytes_per_s"}
    for count in streams:
        conditions = {"to": to, "streams": count, "fsync": True}
        yield Stage(metric="ceiling.write", title=f"Write to the folder, {_streams(count)}", conditions=conditions, **shared)
        memory = "As many bytes written to the same folder from memory, with fsync; nothing is read or checked."
        rule = CeilingRule(metric="ceiling.write", match={"to": to, "streams": count}, explanation=memory)
        for is_checked in (False, True):
            yield Stage(
                metric="transfer.copy", title=f"Copy to the folder, {'checked, ' if is_checked else ''}{_streams(count)}",
                conditions=conditions | {"checked": is_checked}, ceiling=rule, **shared,
            )  # fmt: skip


def _streams(count: int) -> str:
    return "1 stream" if count == 1 else f"{count} streams"


def _size(size_bytes: int) -> str:
    return f"{size_bytes // MIB} MiB" if size_bytes >= MIB else f"{size_bytes // KIB} KiB"


class Targets:
    """The target of one invocation: opened by the first stage that needs it, left as it was found.

    Parameters
    ----------
    subject : Subject
        What is transferred.
    options : mapping
        ``to``, ``token``, ``run`` (a name for what is put there) and ``storage`` (options of an object store).
    stack : ExitStack
        Clears the target.
    """

    def __init__(self, subject: Subject, options: Mapping[str, Any], stack: ExitStack) -> None:
        self.subject = subject
        self.to = str(options.get("to", ""))
        self.token = str(options.get("token", ""))
        self.run = str(options.get("run", "run"))
        self.storage: dict[str, str] = dict(options.get("storage", {}))
        self._stack = stack

    @cached_property
    def peer(self) -> RemotePeer:
        """The server."""
        return RemotePeer(self.to, self.token, self.subject.plan.working_set_bytes)

    @cached_property
    def objects(self) -> objects.ObjectTarget:
        """The prefix of an object store; emptied at the end."""
        target = objects.ObjectTarget(self.to, self._shards(), self.storage, self.run)
        self._stack.callback(target.empty)
        return target

    @cached_property
    def emulator(self) -> str:
        """Why no rate is given, where the endpoint is an emulator, with what was checked; empty for what may be a real one."""
        sign = objects.emulator_at(self.objects.endpoint)
        if not sign:
            return ""
        count = self.objects.proven()
        return (
            f"the endpoint is an emulator ({sign}): {count} shards were written, read back whole and in ranges with equal "
            "sha256, and deleted; no rate is given"
        )

    @cached_property
    def folder(self) -> Path:
        """A folder of this process in the target; removed at the end."""
        folder = _folder(self.to, self.run)

        def clear() -> None:
            shutil.rmtree(folder, ignore_errors=True)

        self._stack.callback(clear)
        return folder

    def why_not(self) -> str:
        """Return why no rate can be given of the target; an empty text if one can."""
        return self.emulator if kind_of_target(self.to) == "objects" else ""

    def _shards(self) -> tuple[Path, ...]:
        taken: list[Path] = []
        size_bytes = 0
        for path in self.subject.paths:
            size_bytes += path.stat().st_size
            if taken and size_bytes > self.subject.plan.working_set_bytes:
                break
            taken.append(path)
        return tuple(taken)

    def probe_of(self, stage: Stage) -> Probe:
        """Return the probe that measures a stage of ``stages_to``."""
        facts: Any = stage.conditions
        if kind_of_target(self.to) == "folder":
            if stage.metric == "ceiling.write":
                return copying.FolderWrite(self.subject, self.folder, facts["streams"])
            return copying.FolderCopy(self.subject, self.folder, facts["streams"], is_checked=facts["checked"])
        if kind_of_target(self.to) == "objects":
            if stage.metric == "transfer.object_get":
                return objects.ObjectGet(self.objects, facts["range_bytes"], facts["streams"])
            if stage.metric == "transfer.object_put":
                return objects.ObjectPut(self.objects, facts["streams"])
            return objects.ObjectHead(self.objects, 1)
        if stage.metric == "ceiling.round_trip":
            return transfer.RoundTrip(self.peer, facts["protocol"])
        if stage.metric == "ceiling.tcp_peer":
            return transfer.TcpStream(self.peer, facts["source"], facts["streams"])
        if stage.metric == "transfer.flight":
            return FlightGet(self.subject, self.peer, facts["streams"])
        return transfer.HttpRange(self.subject, self.peer, facts["range_bytes"], facts["streams"])
