"""What every test may use: the sample data, and one dataset curated, measured and projected from it per session."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import disturbance
import pacing
import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "sample_data"

settings.register_profile("tonnage", deadline=None, max_examples=60, derandomize=bool(os.environ.get("CI")))
settings.load_profile("tonnage")


@dataclass(frozen=True)
class Finished:
    """What a run of the command left behind."""

    code: int
    out: str
    err: str


def tonnage(*arguments: str | Path, cwd: Path | None = None, timeout_s: float = 240) -> Finished:
    """Run the ``tonnage`` command in a process of its own, as a user would."""
    command = [sys.executable, "-m", "toolkit", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd or ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
    return Finished(done.returncode, done.stdout, done.stderr)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    pacing.arrange(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with pacing.untraced() if pacing.is_untraced(item) else nullcontext():
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.get_closest_marker("timed"):
        disturbance.note(item, call, report)
    return report


def readme_blocks(language: str) -> list[str]:
    """Return the README's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="session")
def readme_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's Python example, run once as it is written in a folder of its own; treat what it left there as read-only."""
    return pacing.made_once("readme", tmp_path_factory, _run_readme_example)


def _run_readme_example(folder: Path) -> None:
    (folder / "sample_data").symlink_to(SAMPLE)
    (code,) = readme_blocks("python")
    body = code.strip().replace("\n", "\n    ")
    script = folder / "example.py"
    script.write_text(f"def main():\n    {body}\n\n\nif __name__ == '__main__':\n    main()\n")
    done = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, timeout=260, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "out.txt").write_text(done.stdout)


@pytest.fixture(scope="session")
def sample_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset curated from ``sample_data/raw`` through the command line; treat it as read-only."""

    def make(folder: Path) -> None:
        done = tonnage("curate", SAMPLE / "raw", folder / "dataset", "--quiet")
        assert done.code == 0, done.err

    return pacing.made_once("sample", tmp_path_factory, make) / "dataset"


@pytest.fixture(scope="session")
def sample_measurements(readme_run: Path) -> Path:
    """Measurements of the sample dataset, plan quick and every family: those that the README's example takes."""
    (path,) = (readme_run / "my-dataset" / "measurements").glob("*.json")
    return path


@pytest.fixture(scope="session")
def sample_projection(sample_dataset: Path, sample_measurements: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab scenario projected from the sample dataset and its measurements."""

    def make(folder: Path) -> None:
        scenario, out = SAMPLE / "scenarios" / "lab_one_node.yaml", folder / "projection.json"
        done = tonnage("project", scenario, "--dataset", sample_dataset, "--measurements", sample_measurements, "--out", out)
        assert done.code == 0, done.err

    return pacing.made_once("projected", tmp_path_factory, make) / "projection.json"


_CHROMIUM_ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser that reports are opened in."""
    if os.environ.get("TONNAGE_NO_BROWSER") == "1":
        pytest.skip("TONNAGE_NO_BROWSER=1")
    path = os.environ.get("TONNAGE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("Chromium is needed to test the report: install it (apt-get install chromium) or set TONNAGE_NO_BROWSER=1")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
