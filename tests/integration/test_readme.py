"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import ROOT, readme_blocks

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.timeout(280)
def test_the_python_example_runs(readme_run: Path) -> None:
    said = (readme_run / "out.txt").read_text()
    for fragment in ("<DatasetProfile 'my-dataset' v0", "read.sequential", "storage.capacity_bytes = "):
        assert fragment in said
    assert (readme_run / "report.html").stat().st_size < 2_500_000


def test_the_python_example_is_about_15_lines() -> None:
    (code,) = readme_blocks("python")
    assert len([line for line in code.splitlines() if line and not line.startswith("#")]) <= 15


def test_every_option_and_file_that_is_named_exists() -> None:
    import typer

    from toolkit.cli import app

    shell = "\n".join(readme_blocks("bash"))
    top = typer.main.get_command(app)
    commands = [
        top,
        *top.commands.values(),
        *(each for group in top.commands.values() for each in getattr(group, "commands", {}).values()),
    ]
    known = {"--help"} | {option for command in commands for parameter in command.params for option in parameter.opts}
    used = set(re.findall(r"(?<=\s)--[a-z-]+", "\n".join(line for line in shell.splitlines() if line.startswith("tonnage"))))
    assert used <= known
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", shell)) <= targets
