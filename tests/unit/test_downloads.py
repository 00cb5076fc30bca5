"""Downloads against a real server: where redirects may lead, how much is taken, what a site asks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_server import web_server

from toolkit.curation.sources import downloads
from toolkit.curation.sources.access import Access
from toolkit.curation.sources.autoindex import links
from toolkit.curation.sources.robots import OPT_OUTS, Robots, opted_out

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


@given(st.lists(st.text()))
def test_any_header_is_read(tags: list[str]) -> None:
    assert opted_out(tags, "tonnage") in {None, *OPT_OUTS}


@given(st.text())
def test_links_stay_below_their_page(page: str) -> None:
    made = "".join(f'<a href="{part}">x</a>' for part in page.split())
    assert all(link.startswith("http://h/x/") and ".." not in link.split("/") for link in links(page + made, "http://h/x/"))
