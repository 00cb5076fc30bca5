"""One host of a cluster while several are measured at once: a process that is told what to prepare and when to run it.

Run as ``python -m toolkit.measurement.node``; orders come as lines of JSON on standard input, each is answered by one line
on standard output. It ends with its input.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from toolkit.dataset.reading import open_dataset
from toolkit.errors import TonnageError
from toolkit.measurement.caches import can_prove, device_read_bytes, proof_of
from toolkit.measurement.environment import core_count, environment_of
from toolkit.measurement.peers import RemotePeer
from toolkit.measurement.plans import plan_named
from toolkit.measurement.probes import Bench
from toolkit.measurement.serving import serve_paths
from toolkit.measurement.stages import Stage
from toolkit.measurement.subject import Subject
from toolkit.measurement.transfer import TcpStream
from toolkit.measurement.windows import Tally, run_window, utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.measurement.windows import Probe

__all__ = ["Node", "main"]

_SLICE_S: Final = 0.05
_MAX_PASSES: Final = 1_000
_ALL_CORES: Final = frozenset({"threads", "workers"})
"""Conditions whose 0 stands for all cores of the host."""


class Node:
    """What a host holds from one order to the next.

    Parameters
    ----------
    job : mapping
        ``dataset``, ``version``, ``plan``, ``rank``, ``world_size``, ``address``.
    stack : ExitStack
        Ends what the probes start.
    """

    def __init__(self, job: Mapping[str, Any], stack: ExitStack) -> None:
        self.job = job
        self.plan = plan_named(job["plan"])
        self.dataset = open_dataset(job["dataset"], job["version"])
        self.subject = Subject(self.dataset, self.plan)
        mine = self.subject.extents[job["rank"] :: job["world_size"]]
        if mine:  # each host reads its own share, of the same size however many take part
            self.subject.__dict__["extents"] = mine
        self.bench = Bench(self.subject, stack)
        self.is_provable = can_prove(self.dataset.location.path)
        self._probes: dict[str, Probe] = {}
        self._probe: Probe | None = None

    def serve(self) -> dict[str, Any]:
        """Serve the first shard at this host's address, and say where."""
        token = secrets.token_urlsafe(12)
        offer = serve_paths(self.subject.paths[:1], self.job["address"], 0, token)
        return {"host": self.job["address"], "port": offer.ports["http"], "token": token}

    def hello(self) -> dict[str, Any]:
        """Return what this host is."""
        environment = environment_of(self.dataset.location.path)
        return {"name": environment.host, "facts": dict(environment.facts), "core_count": core_count()}

    def prepare(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Bring about what the next run needs."""
        if order["kind"] == "link":
            peer = RemotePeer(f"{order['peer']['host']}:{order['peer']['port']}", order["peer"]["token"])
            self._probe = TcpStream(peer, "memory", order["streams"])
        else:
            facts = dict(order["stage"])
            facts["conditions"] = {k: core_count() if k in _ALL_CORES and not v else v for k, v in facts["conditions"].items()}
            stage = Stage(**facts)
            if stage.key not in self._probes:
                self._probes[stage.key] = self.bench.probe_of(stage)
                run_window(self._probes[stage.key], 0.0)  # imports and first allocations are paid for here
            self._probe = self._probes[stage.key]
        if order["kind"] != "link":
            self._probe.open()
            self._probe.prepare()
        return {}

    def run(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Do this host's share of the work, and say how long it took."""
        assert self._probe is not None
        if order["kind"] == "link":
            window = run_window(self._probe, order["window_s"])
            return dataclasses.asdict(window) | {"cache": None}
        started_at, before, cpu_s = utc_now(), device_read_bytes(), time.process_time()
        start_s = time.perf_counter()
        try:
            tally = self._work(self._probe, order)
            elapsed_s = time.perf_counter() - start_s
            after, cpu_s = device_read_bytes(), time.process_time() - cpu_s
        finally:
            self._probe.close()  # what stays mapped would not be cold for the next step
        device_bytes = None if before is None or after is None else after - before
        intended = order["stage"]["conditions"].get("cache")
        proof = proof_of(intended, device_bytes, tally.payload_bytes, is_provable=self.is_provable) if intended else None
        return {
            "started_at": started_at, "elapsed_s": elapsed_s, "cpu_s": cpu_s, "tally": dataclasses.asdict(tally), "wire": None,
            "cache": None if proof is None else dataclasses.asdict(proof),
        }  # fmt: skip

    def _work(self, probe: Probe, order: Mapping[str, Any]) -> Tally:
        """Work until the share is done: once through what is cold; as many bytes or images as the order says of the rest."""
        tally = Tally(operations=0)
        if order["stage"]["conditions"].get("cache") == "cold":
            return probe.run(float("inf"))
        for _ in range(_MAX_PASSES):
            tally += probe.run(time.perf_counter() + _SLICE_S)
            if tally.payload_bytes >= order["least_bytes"] or tally.images >= order["least_images"]:
                break
        return tally


def main() -> None:
    """Carry out orders until standard input is closed."""
    with ExitStack() as stack:
        node: Node | None = None
        for line in sys.stdin:
            order = json.loads(line)
            try:
                if node is None:
                    node, answer = Node(order, stack), {}
                    answer = node.hello() | node.serve()
                else:
                    answer = node.prepare(order) if order["do"] == "prepare" else node.run(order)
            except (OSError, ValueError, RuntimeError, MemoryError, TonnageError) as fault:  # Arrow's are among these
                answer = {"fault": str(fault) or type(fault).__name__}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    os._exit(0)  # threads that still serve would hold the process


if __name__ == "__main__":
    main()
