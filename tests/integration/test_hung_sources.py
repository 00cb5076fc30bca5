"""Sources that never answer: no run waits for one longer than its recipe says, and each is told by a reason."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from dataset_rows import picture
from store_server import store_server

from toolkit.curation.pipeline import curate
from toolkit.curation.reasons import Refusal
from toolkit.curation.sources import OtherFile, discover
from toolkit.curation.sources.access import Access
from toolkit.curation.sources.files import read_whole
from toolkit.curation.sources.objects import fetch_object, list_objects
from toolkit.errors import UsageError
from toolkit.locations import Location


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
