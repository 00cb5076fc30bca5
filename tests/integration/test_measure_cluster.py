"""Several hosts at once: scheduler and workers as processes of their own, on one machine and in shaped network namespaces."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attempts import until_it_holds
from measured_dataset import build
from namespaces import call, hosts, most_bytes_per_s

import toolkit
from toolkit.errors import ClusterError
from toolkit.facts import Measurement, MeasurementSet
from toolkit.locations import Location
from toolkit.measurement.caches import can_prove
from toolkit.measurement.plans import PLANS

FIRST = ("nice", "-n", "-15")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("cluster") / "dataset", 48)


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the quick plan run one process in place of three: what is tried here is not its statistics."""
    monkeypatch.setitem(PLANS, "quick", dataclasses.replace(PLANS["quick"], invocation_count=1))


@contextlib.contextmanager
def dask(address: str, workers: list[tuple[tuple[str, ...], str]], *, inside: tuple[str, ...] = ()) -> Iterator[str]:
    """Start a scheduler and workers, each where it is to run, and end them."""
    common = ["--no-dashboard"]
    with contextlib.ExitStack() as stack:
        port = free_port()

        def begin(command: list[str]) -> None:
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            stack.callback(process.wait, timeout=20)
            stack.callback(process.terminate)

        begin([*inside, sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", address, "--port", str(port), *common])
        for where, host in workers:
            command = [
                sys.executable,
                "-m",
                "distributed.cli.dask_worker",
                f"tcp://{address}:{port}",
                "--host",
                host,
                "--no-nanny",
            ]
            begin([*where, *command, "--nthreads", "1", *common])
        yield f"tcp://{address}:{port}"


def awaited(scheduler: str, count: int) -> None:
    from distributed import Client

    deadline_s = time.monotonic() + 40
    while True:
        try:
            with Client(scheduler, timeout=5) as client:
                client.wait_for_workers(count, timeout=30)
                return
        except (OSError, TimeoutError):
            if time.monotonic() > deadline_s:
                raise


def found(measured: MeasurementSet, metric: str, **conditions: object) -> Measurement:
    m = measured.find(metric, **conditions)
    assert m is not None, (metric, conditions, [(x.metric, dict(x.conditions)) for x in measured.measurements])
    return m


def test_workers_of_their_own_start_together_and_each_is_counted(place: Path, tmp_path: Path) -> None:
    with dask("127.0.0.1", [((), "127.0.0.2"), ((), "127.0.0.3")]) as scheduler:
        awaited(scheduler, 2)
        for _ in range(3):  # neighbours may hold up a start
            measured = toolkit.measure(place, only=["read"], scheduler=scheduler, out=tmp_path / "m.json")
            if measured.environment.facts["cluster"]["start_skew_s"] < 0.25:
                break
    assert MeasurementSet.load(tmp_path / "m.json") == measured
    assert measured.environment.facts["cluster"]["start_skew_s"] < 0.25
    alone = found(measured, "cluster.read.sequential", cache="warm", nodes=1)
    for counted in ("to the last done", "while all work"):
        both = found(measured, "cluster.read.sequential", cache="warm", nodes=2, counted=counted)
        assert "shared_host" in both.flags
        assert both.ceiling is not None
        assert both.ceiling.value == pytest.approx(2 * alone.median)
        [sample] = both.samples
        assert {node.worker.rsplit(":", 1)[0] for node in sample.nodes} == {"tcp://127.0.0.2", "tcp://127.0.0.3"}
        rates, times = [node.value for node in sample.nodes], [node.elapsed_s for node in sample.nodes]
        total = sum(node.payload_bytes for node in sample.nodes)
        assert both.median == pytest.approx(sum(rates) if counted == "while all work" else total / max(times))
    last, first = (
        found(measured, "cluster.read.sequential", cache="warm", nodes=2, counted=counted).median
        for counted in ("to the last done", "while all work")
    )
    assert last <= first
    if can_prove(place):
        cold = found(measured, "cluster.read.sequential", cache="cold", nodes=1)
        assert cold.cache_verdict in {"cold", "mixed"}  # row groups of the other's share are read ahead
        assert cold.samples[0].cache is not None
        assert cold.samples[0].cache.device_bytes > 0
    links = [m for m in measured.measurements if m.metric == "cluster.link"]
    assert len(links) == 2
    assert all("loopback" in m.flags for m in links)


RATES = ("400mbit", "400mbit", "100mbit")
LINK_WINDOW_S = 1.0


def test_shaped_links_between_hosts_are_measured_and_the_slow_one_is_named(place: Path, tmp_path: Path) -> None:
    """No attempt passes what the lines carry; each link is told within 2 % by one of three, as far as neighbours let it."""
    with hosts(3, RATES) as machines:
        inside = [(*FIRST, "ip", "netns", "exec", name) for name, _ in machines]
        (switch,) = {name.rsplit("h", 1)[0] + "s" for name, _ in machines}
        driver = ["ip", "netns", "exec", switch]
        call(*driver, "ip", "addr", "add", "10.77.0.100/24", "dev", "br0")
        call(*driver, "ip", "link", "set", "lo", "up")
        workers = [(where, address) for where, (_, address) in zip(inside, machines, strict=True)]
        near: set[tuple[str, str]] = set()
        rings: list[float] = []

        def attempt() -> None:
            command = [*driver, sys.executable, "-c", DRIVER, str(place), scheduler, str(tmp_path / "m.json"), str(LINK_WINDOW_S)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
            assert done.returncode == 0, done.stderr
            measured = MeasurementSet.load(tmp_path / "m.json")
            shares = shares_of_the_line(measured)
            ring = found(measured, "cluster.links_at_once", nodes=3, counted="while all work").median
            passed.extend(pair for pair, share in shares.items() if share > 1)
            passed.extend(["ring"] if ring > sum(most_bytes_per_s(rate, LINK_WINDOW_S) for rate in RATES) else [])
            near.update(pair for pair, share in told_shares(measured).items() if abs(share - 0.95) <= 0.02)
            rings.append(ring)
            assert len(near) == 6, (shares, measured.environment.facts.get("not_measured"))
            assert max(rings) > 0.75 * 112.5e6
            levels = sorted({m.conditions["nodes"] for m in measured.measurements if m.metric == "cluster.read.sequential"})
            assert levels == [1, 2, 3]

        passed: list[object] = []
        with dask("10.77.0.100", workers, inside=(*FIRST, *driver)) as scheduler:
            until_it_holds(attempt)
        assert passed == []


def links_of(measured: MeasurementSet) -> dict[tuple[str, str], Measurement]:
    """Return the link of each pair, by sender's address and receiver."""
    links = {}
    for m in measured.measurements:
        if m.metric == "cluster.link":
            links[str(m.conditions["from"]).split("//")[1].split(":")[0], str(m.conditions["to"])] = m
            assert m.samples[0].wire is not None
            assert m.samples[0].wire.path == "remote"
            assert "loopback" not in m.flags
    return links


def told_shares(measured: MeasurementSet) -> dict[tuple[str, str], float]:
    """Return what each link measured as a share of its sender's rate."""
    return {pair: m.median / (12.5e6 if pair[0] == "10.77.0.3" else 50e6) for pair, m in links_of(measured).items()}


def shares_of_the_line(measured: MeasurementSet) -> dict[tuple[str, str], float]:
    """Return what each link measured as a share of the most that can pass it in its window."""
    shares = {}
    for pair, m in links_of(measured).items():
        rate = RATES[int(pair[0].rsplit(".", 1)[1]) - 1]
        shares[pair] = m.median / most_bytes_per_s(rate, min(sample.elapsed_s for sample in m.samples))
    return shares


DRIVER = """
import dataclasses, sys
from distributed import Client
from toolkit.dataset.reading import open_dataset
from toolkit.engine import engine
from toolkit.facts import Environment, MeasurementSet
from toolkit.measurement.cluster import ClusterRun
from toolkit.measurement.cluster_findings import cluster_findings
from toolkit.measurement.plans import PLANS

if __name__ == "__main__":
    plan = dataclasses.replace(PLANS["quick"], invocation_count=1, window_s=float(sys.argv[4]))
    with Client(sys.argv[2], timeout=40) as client, engine(client) as cluster:
        client.wait_for_workers(3, timeout=40)
        workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
        run = ClusterRun(open_dataset(sys.argv[1]), plan, ["read"], cluster, workers)
        run.gather()
    MeasurementSet(
        dataset=sys.argv[1], dataset_version=0, plan="quick", started_at="", elapsed_s=1, measurements=tuple(cluster_findings(run.lines, 1)),
        environment=Environment(host="h", facts={"not_measured": run.faults}),
    ).save(sys.argv[3])
"""


def test_a_busy_worker_or_a_blind_one_is_named(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.dataset.reading import open_dataset
    from toolkit.engine import engine
    from toolkit.measurement import cluster
    from toolkit.measurement.cluster import ClusterRun

    monkeypatch.setattr(cluster, "BARRIER_TIMEOUT_S", 3.0)
    with dask("127.0.0.1", [((), "127.0.0.2"), ((), "127.0.0.3")]) as scheduler:
        awaited(scheduler, 2)
        with engine(scheduler) as found_engine:
            workers = sorted(found_engine.client.scheduler_info(n_workers=-1)["workers"])
            busy = found_engine.client.submit(time.sleep, 8, workers=[workers[1]], pure=False)
            run = ClusterRun(open_dataset(place), PLANS["quick"], ["read"], found_engine, workers)
            with pytest.raises(ClusterError, match=r"did not come to the common start within 3 s"):
                run.gather()
            busy.result()
            unseen = ClusterRun(open_dataset(place), PLANS["quick"], ["read"], found_engine, workers)
            unseen.dataset = Unseen(unseen.dataset)  # type: ignore[assignment]  # stands in for a dataset
            with pytest.raises(ClusterError, match="does not see the dataset; it must lie at the same path on every host"):
                unseen.gather()


class Unseen:
    """A dataset at a path that no worker has."""

    def __init__(self, dataset: toolkit.dataset.reading.Dataset) -> None:
        self._dataset = dataset
        self.location = Location("/no/such/place")

    def __len__(self) -> int:
        return len(self._dataset)

    def __getattr__(self, name: str) -> object:
        return getattr(self._dataset, name)


def free_port() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])
