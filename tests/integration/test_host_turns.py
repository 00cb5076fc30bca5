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
url, start, turns, limit = sys.argv[1:]
access = Access(per_host_count=int(limit), concurrent_count=16, turns=turns, respect_robots=False)
items = [Item(source=str(n), place=f"{url}/held/{n}", etag=str(n)) for n in range(int(start), int(start) + 40)]
found = list(read_remote(items, access, Path(turns) / start))
assert all(isinstance(payload, bytes) for _, payload in found), found
"""


def held(web: Web, count: int) -> None:
    web.files = {f"/held/{number}": picture(number) for number in range(count)}


def test_two_processes_together_use_what_is_allowed_and_no_more(tmp_path: Path) -> None:
    with web_server() as web:
        held(web, 80)
        commands = [[sys.executable, "-c", FETCH, web.url, start, str(tmp_path), str(LIMIT)] for start in ("0", "40")]
        processes = [subprocess.Popen(command) for command in commands]
        assert [process.wait(120) for process in processes] == [0, 0]
        assert web.most_under_way == LIMIT
        assert web.asked.total() == 80


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
