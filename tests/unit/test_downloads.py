"""Downloads against a real server: where redirects may lead, how much is taken, what a site asks."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_server import web_server

from toolkit.curation.download_rates import download_rates
from toolkit.curation.reasons import refusal
from toolkit.curation.sources import Item, SourceUnit, autoindex, downloads, remote
from toolkit.curation.sources.access import Access
from toolkit.curation.sources.autoindex import links, list_web
from toolkit.curation.sources.fetching import fetch, read_remote, with_shared_hosts
from toolkit.curation.sources.objects import Entry
from toolkit.curation.sources.remote import Remote
from toolkit.curation.sources.robots import OPT_OUTS, Robots, opted_out
from toolkit.curation.sources.transfers import Transfers, noted_transfers
from toolkit.errors import UsageError
from toolkit.locations import Location

QUICK = Access(timeout_s=1, deadline_s=5, retry_count=0)


def test_a_public_host_may_not_send_into_the_private_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as web:
        web.files = {"/a": b"secret"}
        url = f"http://localhost:{web.port}/moved/a"
        assert downloads.download(url, tmp_path / "same", QUICK) is None  # a private host may send within its network
        web.elsewhere = f"http://127.0.0.1:{web.port}/a"
        monkeypatch.setattr(downloads, "is_private", {"127.0.0.1"}.__contains__)
        refused = downloads.download(url, tmp_path / "other", QUICK)
        assert refused is not None
        assert refused.reason == "private_address"
        assert not (tmp_path / "other").exists()


def test_a_file_that_does_not_say_its_size_is_cut_off_at_the_limit(tmp_path: Path) -> None:
    with web_server() as web:
        web.files = {"/a": bytes(300_000)}
        web.headers["/a"] = {"Content-Length": ""}
        access = dataclasses.replace(QUICK, max_bytes=100_000)
        refused = downloads.download(f"{web.url}/a", tmp_path / "a", access)
        assert refused is not None
        assert refused.reason == "too_large"
        assert list(tmp_path.iterdir()) == []
        assert downloads.download(f"{web.url}/a", tmp_path / "a", QUICK) is None
        assert (tmp_path / "a").stat().st_size == 300_000


def test_rules_of_a_host_are_read_once_and_a_broken_server_forbids_all() -> None:
    asked = []
    answers = {
        "http://a/robots.txt": (200, b"User-agent: *\nDisallow: /x"),
        "http://b/robots.txt": (503, b""),
        "http://c/robots.txt": (404, b""),
    }

    def fetch(url: str) -> tuple[int, bytes]:
        asked.append(url)
        return answers.get(url, (0, b""))

    robots = Robots(fetch, "tonnage")
    assert [bool(robots.forbids(url)) for url in ("http://a/x/1", "http://a/y", "http://b/y", "http://c/x", "http://d/x")] == [
        True, False, True, False, False,
    ]  # fmt: skip
    assert len(asked) == 4


@pytest.mark.parametrize("url", ["http://[::1/a.jpg", "http://\u2100.com/a.jpg"])
@pytest.mark.parametrize("respect_robots", [True, False])
def test_an_address_that_cannot_be_taken_apart_is_refused_alone(tmp_path: Path, url: str, respect_robots: bool) -> None:
    refused = downloads.download(url, tmp_path / "a", dataclasses.replace(QUICK, respect_robots=respect_robots))
    assert refused is not None
    assert refused.reason == "bad_url"


def test_a_scheme_is_the_same_in_capitals(tmp_path: Path) -> None:
    with web_server() as web:
        web.files = {"/a": b"a"}
        assert fetch(web.url.replace("http:", "HTTP:") + "/a", tmp_path / "a", QUICK) is None


@pytest.mark.parametrize("way", ["busy", "drip"])
def test_rules_that_a_host_does_not_give_hold_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(downloads, "_ROBOTS_S", 1)
    downloads._robots.cache_clear()
    with web_server() as web:
        web.files = {"/a.jpg": b"a", f"/{way}/robots.txt": b""}
        web.moved = {"/robots.txt": f"/{way}/robots.txt"}
        web.retry_after_s = 60
        web.busy_count = 9
        start_s = time.monotonic()
        refused = downloads.download(f"{web.url}/a.jpg", tmp_path / "a", QUICK)
        assert time.monotonic() - start_s < 10
        assert getattr(refused, "reason", None) == {"busy": "robots_disallowed", "drip": None}[way]
    downloads._robots.cache_clear()


@given(st.lists(st.text()))
def test_any_header_is_read(tags: list[str]) -> None:
    assert opted_out(tags, "tonnage") in {None, *OPT_OUTS}


@given(st.text())
def test_links_stay_below_their_page(page: str) -> None:
    made = "".join(f'<a href="{part}">x</a>' for part in page.split())
    assert all(link.startswith("http://h/x/") and ".." not in link.split("/") for link in links(page + made, "http://h/x/"))


def test_a_page_is_listed_whole_though_one_of_its_files_does_not_answer(tmp_path: Path) -> None:
    with web_server() as other, web_server() as web:
        html = {"Content-Type": "text/html"}
        names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
        web.files = {f"/x/{name}": name.encode() for name in names[:3]} | {"/x/sub/e.jpg": b"e"}
        web.files["/x/"] = "".join(f'<a href="{name}">' for name in [*names, "sub/", "shut/"]).encode()
        web.files["/x/sub/"] = b'<a href="e.jpg">'
        web.headers = {"/x/": html, "/x/sub/": html}
        web.broken = {"HEAD /x/": 1, "HEAD /x/a.jpg": 1, "HEAD /x/b.jpg": 9, "GET /x/sub/": 1}
        other.files = {"/c.jpg": b"from elsewhere"}
        web.moved = {"/x": "/x/", "/x/c.jpg": f"{other.url}/c.jpg"}
        access = dataclasses.replace(QUICK, retry_count=1)
        listed = {entry.relative: entry for entry in list_web(Location.of(f"{web.url}/x/"), access)}
        assert list(listed) == [*names, "shut/", "sub/e.jpg"]
        assert {name for name, entry in listed.items() if entry.etag} == {"a.jpg", "sub/e.jpg"}
        shut = listed["shut/"].refusal
        assert shut is not None
        assert shut.reason == "http_status"
        assert downloads.download(listed["c.jpg"].url, tmp_path / "c", access) is None
        assert (tmp_path / "c").read_bytes() == b"from elsewhere"
        web.moved = {"/x": f"{other.url}/"}
        with pytest.raises(UsageError, match="sends to another host"):
            list(list_web(Location.of(f"{web.url}/x/"), access))


def test_a_size_that_no_file_has_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"Content-Type": "image/jpeg", "Content-Length": "9" * 30, "ETag": "x"}
    answer = SimpleNamespace(status=200, headers=headers, close=lambda: None)
    monkeypatch.setattr(autoindex, "ask", lambda *_: answer)
    (entry,) = list_web(Location.of("http://h/a.jpg"), QUICK)
    assert entry.size_bytes == 0


def test_a_host_is_asked_for_no_more_at_once_than_the_recipe_says(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, count: int) -> None:
            counts.append(count)
            super().__init__(count)

    monkeypatch.setattr(autoindex, "ThreadPoolExecutor", Pool)
    with web_server() as web:
        web.files, web.headers, web.moved = {"/x/": b""}, {"/x/": {"Content-Type": "text/html"}}, {"/x": "/x/"}
        for count in (2, 100):
            assert list(list_web(Location.of(f"{web.url}/x"), dataclasses.replace(QUICK, per_host_count=count))) == []
    assert counts == [2, 8]


def test_a_folder_that_cannot_be_listed_is_one_refusal_of_its_source(tmp_path: Path) -> None:
    with web_server() as web:
        web.files = {"/x/": b'<a href="a.jpg"><a href="shut/">', "/x/a.jpg": b"a"}
        web.headers = {"/x/": {"Content-Type": "text/html"}}
        web.moved = {"/x": "/x/"}
        listing = Remote(access=QUICK, staging=tmp_path)
        units = [unit for unit in listing.units(Location.of(f"{web.url}/x/"), "x") if isinstance(unit, SourceUnit)]
        items = {item.source: item for unit in units for item in unit.items}
        assert set(items) == {"x/a.jpg", "x/shut/"}
        refused = items["x/shut/"].refusal
        assert refused is not None
        assert refused.reason == "http_status"


def test_the_rate_is_that_of_the_transfers_and_of_no_pause_between(tmp_path: Path) -> None:
    first, second = Transfers(), Transfers()
    first._found = [(100.0, 2.0, 1_000), (101.0, 2.0, 1_000)]
    second._found = [(110.0, 1.0, 2_000)]
    for transfers in (first, second, first):  # work that is done again is noted once
        transfers.note(tmp_path)
    part = tmp_path / "part.arrow"
    pl.DataFrame({"locator": ['{"kind": "remote"}'] * 3, "size_bytes": [1_000, 3_000, None]}).write_ipc(part)
    assert download_rates([part], tmp_path) == {
        "downloaded_image_count": 2,
        "download_failed_count": 1,
        "downloaded_file_count": 3,
        "downloaded_bytes": 4_000,
        "download_s": 4.0,
        "download_bytes_per_s": 1_000,
        "download_connection_count": 1.25,
        "download_bytes_per_connection_s": 800,
    }


def test_what_is_noted_of_a_transfer_is_what_came(tmp_path: Path) -> None:
    with web_server() as web:
        web.files = {"/a": bytes(5_000), "/busy/b": b"b"}
        urls = [f"{web.url}/a", f"{web.url}/moved/a", f"{web.url}/gone"]
        items = [Item(source=url, place=url, etag=f"url-{url}") for url in urls]
        list(read_remote(items, QUICK, tmp_path))
        list(read_remote(items, QUICK, tmp_path))  # what lies there is not fetched again
    noted = noted_transfers(tmp_path)
    assert noted["size_bytes"].to_list() == [5_000, 5_000]
    assert noted["elapsed_s"].min() > 0


@pytest.mark.parametrize(("worker_count", "each"), [(1, 8), (3, 2), (64, 1)])
def test_workers_share_the_connections_to_a_host(worker_count: int, each: int) -> None:
    away = SourceUnit(kind="remote", path="", source="", access=Access(per_host_count=8))
    local = SourceUnit(kind="files", path="", source="")
    found = list(with_shared_hosts([away, local], worker_count))
    assert found == [dataclasses.replace(away, access=Access(per_host_count=each)), local]


def test_a_web_folder_is_held_in_columns_whatever_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_BLOCK", 2)
    gone = refusal("http_status", "status 403")
    names = ["a.jpg", "b c.jpg", "é.jpg", "shut/", "z.jpg"]
    entries = [
        Entry(relative=name, url=f"http://h/{name}", etag="1-2", size_bytes=3, refusal=gone if name == "shut/" else None)
        for name in names
    ]
    monkeypatch.setattr(remote, "list_web", lambda *_: iter(entries))
    units = list(Remote(access=QUICK, staging=tmp_path).units(Location.of("http://h/x"), "x"))
    items = [item for unit in units if isinstance(unit, SourceUnit) for item in unit.items]
    assert [(item.source, item.refusal) for item in items] == [(f"x/{name}", gone if name == "shut/" else None) for name in names]
