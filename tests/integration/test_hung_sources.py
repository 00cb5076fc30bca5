"""Sources and datasets that never answer: no run waits for one longer than is said, and each is told in a sentence."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dataset_rows import add_batch, picture
from store_server import store_of, store_server

import toolkit
from toolkit import locations
from toolkit.cli import run
from toolkit.curation.pipeline import curate
from toolkit.curation.reasons import Refusal
from toolkit.curation.sources import OtherFile, discover
from toolkit.curation.sources.access import Access
from toolkit.curation.sources.files import read_whole
from toolkit.curation.sources.objects import fetch_object, list_objects
from toolkit.dataset import delta
from toolkit.errors import DatasetError, TonnageError, UsageError
from toolkit.locations import Location, store_at
from toolkit.measurement import objects

SILENT_PLACES = ("s3://bucket/set", "gs://bucket/set", "az://account/container/set")


@pytest.fixture
def silent() -> Iterator[str]:
    """Give the endpoint of a server that takes every connection and says nothing."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in held:
        connection.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Wait for stores that datasets are read from half a second, and a second in all."""
    for module in (locations, delta, objects):
        monkeypatch.setattr(module, "SILENCE_S", 0.5)
        monkeypatch.setattr(module, "GIVE_UP_S", 1)
    store_at.cache_clear()
    yield monkeypatch
    store_at.cache_clear()


def asked_at(endpoint: str, setting: pytest.MonkeyPatch) -> None:
    for name, place in (("AWS", "AWS_ENDPOINT_URL"), ("GOOGLE", "GOOGLE_BASE_URL"), ("AZURE", "AZURE_STORAGE_ENDPOINT")):
        setting.setenv(f"{name}_SKIP_SIGNATURE", "true")
        setting.setenv(place, endpoint)


@pytest.mark.parametrize("place", SILENT_PLACES)
def test_a_dataset_in_a_store_that_says_nothing_is_given_up_in_a_sentence(
    silent: str, impatient: pytest.MonkeyPatch, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked_at(silent, impatient)
    started_s = time.monotonic()
    assert run(["show", place]) == 1
    assert time.monotonic() - started_s < 20
    said = capsys.readouterr().err
    assert said == (
        f"tonnage: '{place}' cannot be read: {silent} gave no answer within 1 s (asked 2 times); "
        "check the endpoint and the network, then run it again\n"
    )


def test_a_dataset_whose_store_falls_silent_is_given_up_too(tmp_path: Path, impatient: pytest.MonkeyPatch) -> None:
    add_batch(tmp_path / "hung-always" / "set", "one", range(3))
    with store_of(tmp_path) as endpoint:
        asked_at(endpoint, impatient)
        started_s = time.monotonic()
        with pytest.raises(DatasetError, match=r"the table .* cannot be read: http://127.* gave no answer within \d s") as caught:
            toolkit.open_dataset("s3://bucket/hung-always/set")
        assert time.monotonic() - started_s < 20
        assert "\n" not in str(caught.value)


def test_a_store_that_is_to_be_measured_and_says_nothing_is_given_up(silent: str, impatient: pytest.MonkeyPatch) -> None:
    asked_at(silent, impatient)
    target = objects.ObjectTarget("s3://bucket/x", [], {"region": "us-east-1"}, "run")
    with pytest.raises(TonnageError, match=r"'s3://bucket/x' cannot be had: http://127.* gave no answer within 1 s"):
        target.reach()


@pytest.mark.parametrize("source", ["s3://bucket/photos", "az://account/container/photos", "", "a.zip"])
def test_a_source_that_says_nothing_is_given_up_in_a_sentence(silent: str, tmp_path: Path, source: str) -> None:
    recipe = {"downloads": {"timeout_s": 0.5, "deadline_s": 2, "retry_count": 1}}
    place = source if "://" in source else f"{silent}/{source}"
    options = {"endpoint": silent, "anonymous": "true"} | ({"region": "us-east-1"} if place.startswith("s3") else {})
    started_s = time.monotonic()
    with pytest.raises(TonnageError, match=r"no answer within .* s.*asked 2 times.*check the .* and the network") as caught:
        curate(place, tmp_path / "ds", recipe, workers=1, storage_options=options)
    assert time.monotonic() - started_s < 20
    assert caught.value.exit_code == 1
    assert not (tmp_path / "ds" / "images").exists()


def test_an_object_that_hangs_is_asked_for_again_and_then_refused(tmp_path: Path) -> None:
    with store_server() as (endpoint, objects):
        objects |= {f"photos/{name}.png": picture(i) for i, name in enumerate(("a", "hung-at-first", "hung-always"))}
        options = {"endpoint": endpoint, "region": "us-east-1", "anonymous": "true"}
        recipe = {"downloads": {"deadline_s": 4, "retry_count": 1}}
        started_s = time.monotonic()
        found = curate("s3://bucket/photos", tmp_path / "ds", recipe, workers=1, storage_options=options)
        assert time.monotonic() - started_s < 60
        rows = found.scan("catalog").select("source", "state", "reason").sort("source").collect().rows()
        assert rows == [
            ("photos/a.png", "kept", None),
            ("photos/hung-always.png", "quarantined", "timeout"),
            ("photos/hung-at-first.png", "kept", None),
        ]


def test_a_store_that_is_not_there_is_told_from_one_that_hangs(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    options = (("endpoint", f"http://127.0.0.1:{port}"), ("region", "us-east-1"), ("anonymous", "true"))
    why = fetch_object("s3://bucket/a.png", tmp_path / "a", Access(options=options, deadline_s=2, retry_count=0))
    assert why is not None
    assert why.reason == "connection_failed"


def test_a_large_object_is_fetched_in_stretches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.curation.sources.objects._STRETCH_BYTES", 1_000)
    payload = bytes(range(256)) * 20
    with store_server() as (endpoint, objects):
        objects["a"] = payload
        access = Access(options=(("endpoint", endpoint), ("region", "us-east-1"), ("anonymous", "true")))
        assert fetch_object("s3://bucket/a", tmp_path / "whole", access) is None
        (entry,) = list_objects(Location("s3://bucket/a"), access)
        assert fetch_object("s3://bucket/a", tmp_path / "parts", access, entry.etag) is None
        assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes() == payload


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_pipes_and_sockets_are_skipped_and_never_waited_for(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    (root / "a.png").write_bytes(picture(1))
    os.mkfifo(root / "b.png")
    os.mkfifo(root / "metadata.csv")
    (root / "link.png").symlink_to(root / "b.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "s.jpg"))
        others = {found.source: found.kind for found in discover([root]) if isinstance(found, OtherFile)}
    odd = ("b.png", "link.png", "metadata.csv", "s.jpg")
    assert others == {f"photos/{name}": "skipped(not_a_file)" for name in odd}
    with pytest.raises(UsageError, match="is a pipe, a socket or a device; name a folder or a file"):
        list(discover([root / "b.png"]))
    swapped = read_whole(str(root / "b.png"))  # what was a file when it was listed
    assert isinstance(swapped, Refusal)
    assert swapped.reason == "unreadable"
