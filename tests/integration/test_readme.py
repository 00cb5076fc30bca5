"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.timeout(280)
def test_the_python_example_runs(tmp_path: Path) -> None:
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    (code,) = blocks("python")
    script = tmp_path / "example.py"
    script.write_text(
        f"def main():\n    {code.strip().replace(chr(10), chr(10) + '    ')}\n\n\nif __name__ == '__main__':\n    main()\n"
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=260, check=False)
    assert done.returncode == 0, done.stderr
    for fragment in ("<DatasetProfile 'my-dataset' v0", "read.sequential", "storage.capacity_bytes = "):
        assert fragment in done.stdout
    assert (tmp_path / "report.html").stat().st_size < 2_500_000


def test_the_python_example_is_about_15_lines() -> None:
    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line and not line.startswith("#")]) <= 15


def test_every_option_and_file_that_is_named_exists() -> None:
    import typer

    from toolkit.cli import app

    shell = "\n".join(blocks("bash"))
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
