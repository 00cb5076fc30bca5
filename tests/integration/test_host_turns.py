"""How many requests a host gets at once: never more than the recipe says of all workers, and as many as that of one alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dataset_rows import picture
from web_server import Web, web_server

import toolkit
from toolkit.curation.sources.access import Access
from toolkit.curation.sources.turns import host_turn

LIMIT = 5
FETCH = """
import sys
from pathlib import Path
from toolkit.curation.sources import Item
from toolkit.curation.sources.access import Access
from toolkit.curation.sources.fetching import read_remote
url, start, count, turns, limit, respect_robots = sys.argv[1:]
access = Access(per_host_count=int(limit), concurrent_count=16, turns=turns, respect_robots=respect_robots == "yes")
items = [Item(source=str(n), place=f"{url}/held/{n}", etag=str(n)) for n in range(int(start), int(start) + int(count))]
found = list(read_remote(items, access, Path(turns) / start))
assert all(isinstance(payload, bytes) for _, payload in found), found
"""


def held(web: Web, count: int) -> None:
    web.files = {f"/held/{number}": picture(number) for number in range(count)}


def fetched_by_two(web: Web, folder: Path, count: int, limit: int, respect_robots: str) -> None:
    """Have two processes fetch as many files each."""
    rest = [str(count), str(folder), str(limit), respect_robots]
    commands = [[sys.executable, "-c", FETCH, web.url, start, *rest] for start in ("0", str(count))]
    processes = [subprocess.Popen(command) for command in commands]
    assert [process.wait(120) for process in processes] == [0, 0]


def test_two_processes_together_use_what_is_allowed_and_no_more(tmp_path: Path) -> None:
    with web_server() as web:
        held(web, 80)
        fetched_by_two(web, tmp_path, 40, LIMIT, "no")
        assert web.most_under_way == LIMIT
        assert web.asked.total() == 80


def test_what_a_host_asks_of_robots_is_asked_in_turn_too(tmp_path: Path) -> None:
    with web_server() as web:
        held(web, 40)
        web.files["/robots.txt"] = b"User-agent: *\nAllow: /\n"
        fetched_by_two(web, tmp_path, 20, 1, "yes")
        assert web.most_under_way == 1
        assert web.asked["GET /robots.txt"] == 2


def test_one_of_two_workers_has_all_of_a_host_that_it_has_to_itself(tmp_path: Path) -> None:
    with web_server() as web:
        held(web, 30)
        (tmp_path / "urls.txt").write_text("".join(f"{web.url}{path}\n" for path in web.files))
        manners = {"per_host_count": LIMIT, "respect_robots": False}
        found = toolkit.curate(tmp_path / "urls.txt", tmp_path / "ds", {"downloads": manners}, workers=2)
        assert len(found) == 30
        assert LIMIT - 1 <= web.most_under_way <= LIMIT


def test_a_turn_is_given_back_whatever_happens(tmp_path: Path) -> None:
    access = Access(per_host_count=1, turns=str(tmp_path))
    for _ in range(2):
        with pytest.raises(OSError, match="broken"), host_turn("host", access):
            raise OSError("broken")
    with host_turn("host", access), host_turn("other", access):
        pass
