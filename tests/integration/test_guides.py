"""The guides' commands, run in their order as they are written, and the recipe as it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from toolkit.curation.recipe import Recipe

GUIDE = ROOT / "docs" / "curate.md"


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """Return the code blocks of a page: language and text."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [(language, text) for language, text in found if language in languages]


@pytest.fixture
def checkout(tmp_path):
    """A folder like a checkout: the sample data, and ``tonnage`` on the path."""
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "tonnage").write_text(f'#!/bin/sh\nexec {sys.executable} -m toolkit "$@"\n')
    (commands / "tonnage").chmod(0o755)
    return tmp_path


def run(text: str, language: str, folder: Path) -> None:
    command = ["bash", "-euo", "pipefail", "-c", text] if language == "bash" else [sys.executable, "-c", text]
    environment = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


def test_every_command_of_the_guide_runs_as_it_is_written(checkout):
    found = blocks(GUIDE, "bash", "python")
    assert len(found) >= 5
    for language, text in found:
        run(text, language, checkout)
    assert (checkout / "out" / "export.json").exists()


def test_the_guide_shows_the_recipe_as_it_is():
    shown = [text for _, text in blocks(GUIDE, "yaml")]
    assert shown == [Recipe().to_yaml()], "put the text of Recipe().to_yaml() into the yaml block of docs/curate.md"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
