"""From a stage, which is data, to the probe that runs it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from toolkit.measurement import accesses, ceilings, decode, loader, storage, transfer
from toolkit.measurement.environment import core_count
from toolkit.measurement.flight_reading import FlightGet
from toolkit.measurement.image_classes import class_of
from toolkit.measurement.stages import FULL, RESIZE_PX, batch_size_of
from toolkit.measurement.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

    from toolkit.measurement.stages import Stage
    from toolkit.measurement.subject import HeldImage, Subject
    from toolkit.measurement.windows import Probe

__all__ = ["Bench"]


class Bench:
    """What the probes of one invocation share: the subject, and a serving process once one asks for it.

    Parameters
    ----------
    subject : Subject
        What is measured.
    stack : ExitStack
        Ends the serving process, and clears the target.
    options : mapping, optional
        Of the target, as in ``targets.Targets``.
    """

    def __init__(self, subject: Subject, stack: ExitStack, options: Mapping[str, Any] | None = None) -> None:
        self.subject = subject
        self.targets = Targets(subject, options or {}, stack)
        self._stack = stack
        self._server: transfer.TransferServer | None = None

    @cached_property
    def images(self) -> tuple[HeldImage, ...]:
        """The images in memory that decode."""
        return decode.decodable(self.subject.images)

    @cached_property
    def _classes(self) -> dict[tuple[str, str, str], list[HeldImage]]:
        classes: dict[tuple[str, str, str], list[HeldImage]] = {}
        for image in self.images:
            classes.setdefault(class_of(image), []).append(image)
        return classes

    def images_of(self, *key: str) -> tuple[HeldImage, ...]:
        """Return the images in memory of a class: format, size, quality."""
        return tuple(self._classes.get((key[0], key[1], key[2]), ()))

    @property
    def server(self) -> transfer.TransferServer:
        """The serving process, started by the first who asks."""
        if self._server is None:
            self._server = self._stack.enter_context(transfer.TransferServer(self.subject.paths))
        return self._server

    def server_cpu_s(self) -> float:
        """Return the CPU time of the serving process so far; 0 when there is none."""
        return 0.0 if self._server is None else self._server.cpu_s()

    def probe_of(self, stage: Stage) -> Probe:
        """Return the probe that measures a stage."""
        facts: Any = stage.conditions
        if "to" in facts:
            return self.targets.probe_of(stage)
        area, name = stage.metric.split(".", 1)
        if area == "ceiling":
            return self._ceiling(name, facts)
        if area in {"metadata", "device", "write"} or name in {"pieces", "row_groups", "first_touch"}:
            return self._access(stage.metric, facts)
        if name == "class":
            images = self.images_of(facts["format"], facts["size_class"], facts.get("quality", ""))
            return decode.Decode(images, facts["threads"], None, is_bare=True)
        if area == "read":
            kinds = {"sequential": storage.SequentialRead, "random": storage.RandomRead, "raw_files": storage.RawFileRead}
            return kinds[name](self.subject, facts["cache"])
        if area == "decode":
            return decode.Decode(self.images, facts["threads"], _resize_px(facts), is_bare=False)
        if area == "hash":
            return decode.Hash(self.images, name)
        if area == "loader":
            return self._loader(name, facts)
        if name == "flight":
            return FlightGet(self.subject, self.server)
        ranges = transfer.ObjectStoreRange if facts["client"] == "obstore" else transfer.HttpRange
        return ranges(self.subject, self.server, facts["range_bytes"], facts["streams"])

    def _access(self, metric: str, facts: Any) -> Probe:
        if metric == "read.first_touch":
            return storage.FirstTouch(self.subject)
        if metric.startswith("device."):
            return ceilings.DeviceRead(self.subject, facts["pattern"], facts["read_bytes"], facts["depth"], is_direct=True)
        if metric == "write.fsync":
            assert self.subject.scratch is not None
            return accesses.SyncedWrite(self.subject.scratch, facts["size_bytes"])
        return accesses.access_probe(metric, facts, self.subject)

    def _ceiling(self, name: str, facts: Any) -> Probe:
        if name == "memory_copy":
            return ceilings.MemoryCopy(facts["block_bytes"], facts["threads"])
        if name == "mapped_sum":
            return ceilings.MappedSum(self.subject, facts["threads"])
        if name == "page_cache_read":
            return ceilings.PageCacheRead(self.subject, facts["pattern"], facts["read_bytes"])
        if name == "device_read":
            is_direct = facts["access"] == "direct"
            return ceilings.DeviceRead(self.subject, facts["pattern"], facts["read_bytes"], facts["depth"], is_direct=is_direct)
        if name == "tcp_loopback":
            return transfer.TcpStream(self.server, facts["source"], facts["streams"])
        if name == "synced_write":
            assert self.subject.scratch is not None
            return accesses.SyncedWrite(self.subject.scratch, facts["size_bytes"])
        if name == "cached_batches":
            return loader.CachedLoop(self.subject, batch_size_of(len(self.subject.dataset)), core_count(), RESIZE_PX)
        return decode.Decode(self.images, facts["threads"], _resize_px(facts), is_bare=True)

    def _loader(self, name: str, facts: Any) -> Probe:
        kinds = {"time_to_first_batch": loader.FirstBatch, "fed": loader.FedLoop}
        return kinds.get(name, loader.LoaderEpochs)(
            self.subject,
            facts["batch_size"],
            facts["workers"],
            decode=name != "bytes",
            resize_px=_resize_px(facts),
            verify=facts["verify"],
        )


def _resize_px(facts: Any) -> int | None:
    return None if facts["output"] in {FULL, "encoded"} else RESIZE_PX
