"""Transfers to somewhere: ``tonnage serve`` across a shaped link, a folder, an object store and an emulator of one."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from attempts import until_it_holds
from measured_dataset import build
from namespaces import hosts, most_bytes_per_s
from store_server import store_server

import toolkit
from toolkit.cli import run
from toolkit.dataset.reading import open_dataset
from toolkit.errors import TonnageError, UsageError
from toolkit.measurement.copying import FolderCopy
from toolkit.measurement.flight_reading import FlightGet
from toolkit.measurement.peers import RemotePeer
from toolkit.measurement.plans import PLANS, plan_named
from toolkit.measurement.subject import Subject
from toolkit.measurement.targets import Targets, kind_of_target, stages_to
from toolkit.measurement.windows import run_window

FIRST = ("nice", "-n", "-15")
"""What sends and receives goes before other tests: it is the link that is to limit it."""

IN_NAMESPACE = """
import json, sys
from toolkit.dataset.reading import open_dataset
from toolkit.measurement.peers import RemotePeer
from toolkit.measurement.plans import plan_named
from toolkit.measurement.subject import Subject
from toolkit.measurement.transfer import HttpRange, TcpStream
from toolkit.measurement.windows import run_window

subject = Subject(open_dataset(sys.argv[1]), plan_named("quick"))
peer = RemotePeer(sys.argv[2], sys.argv[3])
found = {}

def rate_of(window):
    return window.tally.payload_bytes / window.elapsed_s

for name, probe in {"tcp": TcpStream(peer, "memory", 1), "http": HttpRange(subject, peer, 65_536, 4)}.items():
    windows = []
    while len(windows) < 4 or (name == "tcp" and len(windows) < 16 and sum(0.94 < rate_of(w) / 125e6 < 0.96 for w in windows) < 3):
        windows.append(run_window(probe, 1.0))
    found[name] = [[rate_of(w), w.tally.operations, w.tally.payload_bytes, w.elapsed_s, w.wire] for w in windows]
print(json.dumps(found))
"""


DROPPING = """
import json, sys
from toolkit.measurement.peers import RemotePeer
from toolkit.measurement.transfer import TcpStream
from toolkit.measurement.windows import run_window

peer = RemotePeer(sys.argv[1], sys.argv[2])
before = peer.account()
wire = run_window(TcpStream(peer, "memory", 8), 0.5).wire
after = peer.account()
print(json.dumps([wire, *(after[name] - before[name] for name in ("retransmit_count", "system_retransmit_count"))]))
"""


ALONE = """
import json, sys
from toolkit.measurement.peers import RemotePeer
from toolkit.measurement.transfer import TcpStream
from toolkit.measurement.windows import run_window

window = run_window(TcpStream(RemotePeer(sys.argv[1], sys.argv[2]), "memory", 1), 2.0)
print(json.dumps(window.tally.payload_bytes / window.elapsed_s))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("there") / "dataset", 24)


@contextmanager
def serving(place: Path, *arguments: str, inside: tuple[str, ...] = ()) -> Iterator[dict[str, object]]:
    command = [*inside, sys.executable, "-m", "toolkit", "serve", str(place), "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def served(place: Path) -> Iterator[dict[str, Any]]:
    with serving(place, "--port", "0", "--token", "secret") as facts:
        yield facts


def address_of(served: dict[str, Any]) -> str:
    return f"127.0.0.1:{served['ports']['http']}"


def test_a_gigabit_link_is_measured_as_what_tcp_leaves_of_it(place: Path) -> None:
    """Of each 1514 bytes of a frame as the shaper counts it TCP leaves 1448: 0.956 of the rate."""
    with (
        hosts(2, ("1gbit", "1gbit")) as [(there, address), (here, _)],
        serving(place, "--host", address, inside=(*FIRST, "ip", "netns", "exec", there)) as facts,
    ):
        command = [
            *FIRST,
            "ip",
            "netns",
            "exec",
            here,
            sys.executable,
            "-c",
            IN_NAMESPACE,
            str(place),
            f"{address}:8470",
            str(facts["token"]),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(rate <= most_bytes_per_s("1gbit", elapsed_s) for rate, _, _, elapsed_s, _ in found["tcp"])
    told = [rate / 125e6 for rate, *_ in found["tcp"]]  # a neighbour takes from a window, and a burst may follow
    assert sum(share == pytest.approx(0.95, abs=0.01) for share in told) >= 3, told
    in_flight = [operations / elapsed_s * wire["latency_mean_s"] for _, operations, _, elapsed_s, wire in found["http"]]
    assert max(in_flight) <= 4 * 1.01  # Little's law: four connections, always busy
    assert max(in_flight) == pytest.approx(4, rel=0.1)
    for _, _, size_bytes, elapsed_s, wire in found["http"]:
        assert wire["path"] == "remote"
        assert wire["interface"] == "eth0"
        assert wire["retransmit_evidence"] == "tcp_info"
        assert 1 < wire["wire_bytes"] / size_bytes < 1.15  # veth counts one header for all that is handed over at once
        assert 0 < wire["server_cpu_s"] < 2 * elapsed_s * (os.cpu_count() or 1)
        assert wire["first_byte_p50_s"] < wire["latency_p50_s"] <= wire["latency_p99_s"]


@pytest.mark.skipif(shutil.which("iperf3") is None, reason="iperf3 is not installed")
def test_iperf3_agrees_on_a_link(place: Path) -> None:
    """Both read one stream, the server sends, the slow start is left out; in turns, so that neighbours disturb both."""
    ours, theirs = [], []
    with (
        hosts(2, ("200mbit", "200mbit")) as [(there, address), (here, _)],
        serving(place, "--host", address, inside=(*FIRST, "ip", "netns", "exec", there)) as facts,
        subprocess.Popen(["ip", "netns", "exec", there, "iperf3", "-s"], stdout=subprocess.DEVNULL) as other,
    ):
        inside = ["ip", "netns", "exec", here]

        def said(*command: str) -> Any:
            done = subprocess.run([*inside, *command], capture_output=True, text=True, check=False, timeout=60)
            assert done.returncode == 0, done.stderr or done.stdout
            return json.loads(done.stdout)

        def attempt() -> None:
            ours.append(said(sys.executable, "-c", ALONE, f"{address}:8470", str(facts["token"])))
            told = said("iperf3", "-c", address, "-R", "-O", "1", "-t", "2", "-J")
            theirs.append(told["end"]["sum_received"]["bits_per_second"] / 8)
            assert max(ours) == pytest.approx(max(theirs), rel=0.02)

        try:
            until_it_holds(attempt, tries=4)
        finally:
            other.terminate()
    assert max(ours) <= most_bytes_per_s("200mbit", 2.0)


def test_segments_sent_again_are_told_alike_by_the_sockets_and_by_the_system(place: Path) -> None:
    """A short queue before a slow link drops what many streams send at once; nobody else is in the sender's namespace."""
    with (
        hosts(2, ("20mbit", "20mbit")) as [(there, address), (here, _)],
        serving(place, "--host", address, inside=("ip", "netns", "exec", there)) as facts,
    ):
        command = ["ip", "netns", "exec", here, sys.executable, "-c", DROPPING, f"{address}:8470", str(facts["token"])]

        def attempt() -> None:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            assert done.returncode == 0, done.stderr
            wire, of_sockets, of_system = json.loads(done.stdout)
            assert wire["retransmit_evidence"] == "tcp_info"
            assert wire["retransmit_count"] > 0
            assert of_sockets > 0
            assert of_system == pytest.approx(of_sockets, rel=0.05)  # what is sent between the two readings

        until_it_holds(attempt)


def test_every_stage_to_a_server_runs_and_says_that_it_is_the_loopback(place: Path, served: dict[str, Any]) -> None:
    subject = Subject(open_dataset(place), plan_named("quick"))
    with ExitStack() as stack:
        targets = Targets(subject, {"to": address_of(served), "token": "secret"}, stack)
        stages = stages_to(plan_named("quick"), 2, address_of(served))
        assert {stage.metric for stage in stages} == {
            "ceiling.round_trip", "ceiling.tcp_peer", "transfer.http_range", "transfer.flight",
        }  # fmt: skip
        for stage in stages:
            window = run_window(targets.probe_of(stage), 0.02)
            assert window.tally.payload_bytes > 0
            assert window.wire is not None
            assert window.wire["path"] == "loopback"
            assert "not a network" in stage.limits


def test_nobody_is_let_in_without_the_token(place: Path, served: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    subject = Subject(open_dataset(place), plan_named("quick"))
    assert run(["measure", str(place), "--to", address_of(served), "--token", "guess"]) == 2
    assert "wants a token; give the one it printed with --token" in capsys.readouterr().err
    peer = RemotePeer(address_of(served), "secret")
    peer.token = "guess"
    with peer.tcp() as stream:
        stream.sendall(peer.line("memory"))
        assert stream.recv(1) == b""
    for place_there in ("/", "/0", "/warm/0", "/account"):
        connection = peer.http()
        connection.request("GET", place_there, headers=peer.headers)
        assert connection.getresponse().status == 401
        connection.close()
    taken = FlightGet(subject, peer)
    taken.server.warm = lambda subject: None  # type: ignore[method-assign]  # one way of two: without its warming up
    taken.open()
    with pytest.raises(OSError, match="token is not the server's"):
        taken.run(0.0)


def test_a_token_is_made_up_where_others_could_come(place: Path) -> None:
    with serving(place, "--port", "0", "--host", "0.0.0.0") as open_to_all, serving(place, "--port", "0") as own:
        assert len(str(open_to_all["token"])) >= 16
        assert own["token"] == ""


def test_what_cannot_be_served_or_reached_is_one_sentence(
    place: Path, served: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", str(place), "--port", str(served["ports"]["http"])]) == 1
    assert "cannot be served at" in capsys.readouterr().err
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        free = holder.getsockname()[1]
    assert run(["measure", str(place), "--to", f"127.0.0.1:{free}"]) == 1
    assert "start 'tonnage serve DATASET' there" in capsys.readouterr().err
    assert run(["measure", str(place), "--to", "ftp://somewhere"]) == 2
    assert run(["measure", str(place), "--to", "/no/such/folder"]) == 2
    assert run(["measure", str(place), "--to", str(place.parent), "--only", "read"]) == 2
    assert "add transfer" in capsys.readouterr().err
    with pytest.raises(UsageError, match="no address of a server"):
        kind_of_target("host:port:more")


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the quick plan run one process in place of three: what is tried here is not its statistics."""
    monkeypatch.setitem(PLANS, "quick", dataclasses.replace(PLANS["quick"], invocation_count=1))


@pytest.mark.usefixtures("one_process")
def test_a_copy_is_measured_checked_and_removed(place: Path, tmp_path: Path) -> None:
    measured = toolkit.measure(place, to=str(tmp_path), out=tmp_path / "m.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "m.parquet"]
    copy, checked = (
        measured.find("transfer.copy", checked=False, streams=1),
        measured.find("transfer.copy", checked=True, streams=1),
    )
    assert copy is not None
    assert checked is not None
    assert copy.ceiling is not None
    assert copy.ceiling.metric == "ceiling.write"
    for m in (copy, checked):
        assert all(sample.wire is not None and sample.wire.path == "filesystem" for sample in m.samples)
    written = sum(s.wire.wire_bytes or 0 for s in copy.samples if s.wire is not None) / sum(s.payload_bytes for s in copy.samples)
    assert written == pytest.approx(1, abs=0.1) or written == 0  # a folder in memory writes to no device
    assert measured.environment.facts["target"]["filesystem"]


def test_a_copy_that_differs_is_found(place: Path, tmp_path: Path) -> None:
    copying = FolderCopy(Subject(open_dataset(place), plan_named("quick")), tmp_path / "run", 1, is_checked=False)
    copying.open()
    copying.run(0.0)
    [copy] = (tmp_path / "run").glob("*.copy")
    spoilt = bytearray(copy.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    copy.write_bytes(spoilt)
    with pytest.raises(TonnageError, match="its sha256 differs"):
        copying.close()
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.usefixtures("one_process")
def test_a_store_is_measured_and_an_emulator_is_only_checked(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.server import ThreadedMotoServer

    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    emulator = ThreadedMotoServer(port=0)
    emulator.start()
    try:
        import obstore
        from obstore.store import S3Store

        endpoint = "http://{}:{}".format(*emulator.get_host_and_port())
        import urllib3

        urllib3.request("PUT", f"{endpoint}/bucket")
        measured = toolkit.measure(
            place, to="s3://bucket/some/prefix", storage_options={"endpoint": endpoint}, out=tmp_path / "e.json"
        )
        store = S3Store("bucket", endpoint=endpoint, client_options={"allow_http": True})
        assert [entry for batch in obstore.list(store) for entry in batch] == []
    finally:
        emulator.stop()
    assert [m.metric for m in measured.measurements if m.metric.startswith("transfer.") or m.conditions.get("to")] == []
    reasons = set(measured.environment.facts["not_measured"].values())
    assert len(reasons) == 1
    assert (
        "2 shards were written, read back whole and in ranges with equal sha256, and deleted; no rate is given" in reasons.pop()
    )
    with pytest.raises(TonnageError, match="cannot be had"):
        toolkit.measure(place, to="s3://nowhere/at/all", storage_options={"endpoint": "http://127.0.0.1:9"})
    with store_server() as (endpoint, objects), ExitStack() as stack:
        subject = Subject(open_dataset(place), plan_named("quick"))
        targets = Targets(subject, {"to": "s3://bucket/p", "run": "r", "storage": {"endpoint": endpoint}}, stack)
        assert targets.why_not() == ""
        for stage in stages_to(plan_named("quick"), 2, "s3://bucket/p"):
            if stage.metric == "ceiling.tcp_loopback":
                continue
            window = run_window(targets.probe_of(stage), 0.02)
            assert window.tally.operations > 0
            assert window.wire is not None
            assert window.wire["server_cpu_s"] is None
            assert (window.tally.payload_bytes > 0) == (stage.metric != "ceiling.round_trip")
        assert set(objects) == {f"p/.tonnage-r/{os.getpid()}/{number}" for number in range(2)}
        stack.close()
        assert objects == {}
