"""What keeps the suite short does not hide anything: one making for all who ask, and coverage back in force afterwards."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pacing import LONGEST, TIMED, UNTRACED, made_once, starts_in, untraced

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("place", sorted({*LONGEST, *UNTRACED, *(place.split("::")[0] for place in TIMED)}))
def test_every_place_that_is_named_exists(place: str) -> None:
    assert (ROOT / place).exists()


def test_a_place_is_a_folder_or_a_file_and_no_beginning_of_a_name() -> None:
    places = ("tests/unit/test_a.py", "tests/unit")
    assert [starts_in(f"tests/{name}", places) for name in ("unit/test_a.py::test_x", "unit/test_ab.py::test_x", "units/x.py::y")] == [
        0, 1, 2,
    ]  # fmt: skip
    assert [starts_in(f"a.py::test_x{rest}", ("a.py::test_x",)) for rest in ("", "[1]", "_too")] == [0, 0, 1]


def test_timed_tests_that_are_named_one_by_one_exist() -> None:
    for place, _, name in (timed.partition("::") for timed in TIMED if "::" in timed):
        assert f"def {name}(" in (ROOT / place).read_text(encoding="utf-8")


def test_who_asks_at_the_same_time_gets_what_is_made_once(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    tmp_path_factory.getbasetemp()  # which is not made for threads
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "facts").write_text("whole")

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: made_once("asked", tmp_path_factory, make), range(4)))
    assert made == [found[0]]
    assert {(place / "facts").read_text() for place in found} == {"whole"}


def test_what_could_not_be_made_fails_for_all_who_ask(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    with pytest.raises(ZeroDivisionError):
        made_once("broken", tmp_path_factory, lambda folder: 1 / 0)  # type: ignore[arg-type]  # it never returns
    with pytest.raises(AssertionError, match="has failed before"):
        made_once("broken", tmp_path_factory, lambda folder: None)


def test_coverage_is_told_to_processes_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERAGE_PROCESS_START", "settings")
    with untraced():
        assert "COVERAGE_PROCESS_START" not in os.environ
    assert os.environ["COVERAGE_PROCESS_START"] == "settings"
