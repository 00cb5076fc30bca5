"""The serving process: the right bytes, refusals, a busy port, and that it goes when its owner goes."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from measured_dataset import build

from toolkit.dataset.reading import open_dataset
from toolkit.errors import BusyError, TonnageError
from toolkit.measurement.caches import can_prove, device_read_bytes, evict, make_resident
from toolkit.measurement.flight_reading import FlightGet
from toolkit.measurement.objects import ObjectTarget
from toolkit.measurement.plans import plan_named
from toolkit.measurement.server import HOST
from toolkit.measurement.subject import Subject
from toolkit.measurement.transfer import HttpRange, ObjectStoreRange, TcpStream, TransferServer
from toolkit.measurement.windows import run_window


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return Subject(open_dataset(build(tmp_path_factory.mktemp("transfer") / "dataset", 24)), plan_named("quick"))


@pytest.fixture(scope="module")
def server(subject: Subject) -> Iterator[TransferServer]:
    with TransferServer(subject.paths) as running:
        yield running


def answer(server: TransferServer, target: str, asked: str = "", verb: str = "GET") -> tuple[int, bytes, str | None]:
    connection = http.client.HTTPConnection(HOST, server.port_by_protocol["http"], timeout=10)
    try:
        connection.request(verb, target, headers={"Range": asked} if asked else {})
        got = connection.getresponse()
        return got.status, got.read(), got.getheader("Content-Range")
    finally:
        connection.close()


def test_ranges_are_the_bytes_of_the_shard(server: TransferServer, subject: Subject) -> None:
    shard = subject.paths[1].read_bytes()
    assert answer(server, "/1", "bytes=10-29") == (206, shard[10:30], f"bytes 10-29/{len(shard)}")
    assert answer(server, "/1", f"bytes=10-{10**12}")[1] == shard[10:]
    assert answer(server, "/1") == (200, shard, None)
    assert answer(server, "/0", verb="HEAD")[:2] == (200, b"")


def test_nothing_else_is_served(server: TransferServer) -> None:
    assert answer(server, "/9")[0] == 404
    assert answer(server, "/../../etc/passwd")[0] == 404
    assert answer(server, "/0", f"bytes={10**12}-{10**12 + 1}")[0] == 416


def test_each_protocol_counts_what_came(server: TransferServer, subject: Subject) -> None:
    flight = run_window(FlightGet(subject, server), 0.05, server.cpu_s).tally
    rows = {extent.row_count for extent in subject.extents}
    assert flight.images >= min(rows)
    assert flight.payload_bytes == pytest.approx(flight.images * subject.mean_image_bytes, rel=0.25)
    for client in (HttpRange, ObjectStoreRange):
        ranges = run_window(client(subject, server, 65_536, streams=2), 0.05, server.cpu_s)
        assert ranges.tally.payload_bytes == ranges.tally.operations * 65_536
        assert ranges.latency is not None
        assert (ranges.latency["count"], ranges.latency["member_count"]) == (ranges.tally.operations, 2)
    for source in ("memory", "sendfile"):
        assert run_window(TcpStream(server, source, streams=2), 0.05).tally.payload_bytes > 10**6


def test_what_was_sent_can_be_evicted_afterwards(server: TransferServer, subject: Subject) -> None:
    if not can_prove(subject.paths[0].parent):
        pytest.skip("the kernel does not account reads of this filesystem to the process")
    for _ in range(4):
        run_window(TcpStream(server, "sendfile", streams=2), 0.02)
        run_window(HttpRange(subject, server, 65_536, streams=2), 0.02)
        evict(subject.paths)
        before = device_read_bytes()
        for path in subject.paths:
            make_resident(path)
        after = device_read_bytes()
        assert before is not None
        assert after is not None
        assert after - before >= sum(path.stat().st_size for path in subject.paths)


def test_a_store_without_credentials_says_what_to_set() -> None:
    class Nobody:
        def list(self, _prefix: str) -> Any:
            raise OSError("Generic S3 error: PUT http://169.254.169.254/latest/api/token: timed out")

    target = ObjectTarget.__new__(ObjectTarget)
    target.url, target.run_prefix, target.listed = "s3://bucket/x", "x/run", Nobody()
    with pytest.raises(TonnageError, match=r"'s3://bucket/x' cannot be had: no credentials were found; set .*AWS_ACCESS_KEY_ID"):
        target.reach()


def test_a_busy_port_is_one_sentence(subject: Subject) -> None:
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        with (
            pytest.raises(BusyError, match=r"a port of 127\.0\.0\.1 is in use"),
            TransferServer(subject.paths, (0, holder.getsockname()[1], 0)),
        ):
            pass


def test_the_server_ends_with_its_owner(subject: Subject) -> None:
    with TransferServer(subject.paths) as running:
        process = running._process.pid
        assert running.cpu_s() >= 0
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_the_server_ends_when_standard_input_does(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "toolkit.measurement.server"],
        input="[]\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
    assert set(json.loads(done.stdout)) == {"tcp", "http", "flight"}
