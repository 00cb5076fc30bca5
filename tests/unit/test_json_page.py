"""docs/json.md lists the keys that scripts may count on: whatever stands there, the commands print with --json."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import reporting_facts as facts
import typer
from conftest import ROOT, SAMPLE

from toolkit.cli import app, run

PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
STATED = str(SAMPLE / "scenarios" / "vision_team_100tb.yaml")
SMALL = {"name": "x", "dataset": {"images": 1000, "image_size": "1 MB"}}


def documented(section: str) -> set[str]:
    """Return the keys of a section's table."""
    (text,) = re.findall(rf"^## {re.escape(section)}[^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def commands() -> dict[str, set[str]]:
    """Return the keys of the last section by command."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in PAGE.partition("## The other commands")[2].splitlines():
        if line.startswith("| ") and not line.startswith("| command"):
            command, keys = [cell.strip() for cell in line.split("|")[1:3]]
            name = command.strip("`") or name
            found.setdefault(name, set()).update(re.findall(r"`(\w+)`", keys))
    return found


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    def run_it(*arguments: str, code: int = 0) -> dict[str, Any]:
        assert run([*arguments, "--json"]) == code
        (line,) = capsys.readouterr().out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found

    return run_it


def test_the_nouns_have_the_keys_of_the_page() -> None:
    from test_reporting_backtest import found as backtest

    from toolkit.facts.calibrations import Calibration
    from toolkit.measurement.comparing import compare

    measured = facts.measurements()
    nouns = {
        "A dataset": facts.profile(), "Measurements": measured, "A projection": facts.projection(),
        "A back-test": backtest.__wrapped__(), "Two runs": compare(measured, measured),
        "A calibration": Calibration(accelerator="x", made_at="2026-01-02", host="h", laws=()),
    }  # fmt: skip
    for section, noun in nouns.items():
        keys = noun.to_dict()
        assert documented(section) <= set(keys), section
        assert len(documented(section)) > 4
        assert f"`{keys['schema']}`" in PAGE


def test_commands_about_a_dataset_print_the_keys_of_the_page(
    printed: Callable[..., dict[str, Any]], sample_dataset: Path, tmp_path: Path
) -> None:
    dataset, page = str(sample_dataset), commands()
    calls = {
        "verify": [dataset], "versions": [dataset], "diff": [dataset, "0", "0"], "findings": [dataset], "issues": [dataset],
        "labels": [dataset], "quarantine list": [dataset], "remove --dry-run": [dataset, "--where", "source LIKE 'a%'"],
        "quarantine export": [dataset, str(tmp_path / "refused")], "export": [dataset, str(tmp_path / "files"), "--as", "files"],
        "upgrade": [dataset],
    }  # fmt: skip
    for command, arguments in calls.items():
        verb, *flags = command.split(" --")
        quiet = ["--quiet"] if verb == "export" else []
        found = printed(*verb.split(), *arguments, *(f"--{flag}" for flag in flags), *quiet)
        assert page[command], command
        assert page[command] <= set(found), command
    refused = printed("quarantine", "list", dataset)["refusals"][0]["source"]
    shown = printed("quarantine", "show", dataset, refused)
    assert page["quarantine show"] <= set(shown)
    assert {"advice", "is_retryable"} <= set(shown["refusals"][0])
    assert documented("A dataset") <= set(printed("show", dataset))


def test_commands_about_scenarios_print_the_keys_of_the_page(
    printed: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, wrong, begun = commands(), tmp_path / "wrong.yaml", str(tmp_path / "begun.yaml")
    wrong.write_text(json.dumps(SMALL | {"horizon_months": -1}))
    small = tmp_path / "small.yaml"
    small.write_text(json.dumps(SMALL))
    assert printed("scenario", "init", begun) == {"file": begun}
    assert printed("scenario", "check", STATED) == {"file": STATED, "is_valid": True, "problems": []}
    checked = printed("scenario", "check", str(wrong), code=2)
    assert page["scenario check"] <= set(checked)
    assert not checked["is_valid"]
    assert "horizon_months" in checked["problems"][0]
    for command in ("scenario explain", "hardware list", "validate"):
        arguments = [STATED] if command == "scenario explain" else []
        assert page[command] <= set(printed(*command.split(), *arguments)), command
    assert documented("Two projections") <= set(printed("compare", str(small), str(small)))
    why = printed("project", str(small), "--explain", "storage.capacity_bytes")
    assert documented("Why a number") <= set(why)
    names = [entry["name"] for entry in why["quantities"]]
    assert names[0] == why["quantity"] == "storage.capacity_bytes"
    assert len(names) == len(set(names)) > 5
    assert all(set(entry["inputs"]) <= set(names) for entry in why["quantities"])


def test_a_report_tells_what_it_wrote(printed: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    projection = facts.projection().save(tmp_path / "projection.json")
    out = [str(tmp_path / name) for name in ("numbers.parquet", "facts.json")]
    found = printed("report", str(projection), "--out", out[0], "--out", out[1])
    assert found == {"written": out, "figures": None}
    assert commands()["report"] <= set(found)


def test_every_command_takes_json_and_stands_in_the_page() -> None:
    groups = [("", app)] + [(f"{group.name} ", group.typer_instance) for group in app.registered_groups]
    for prefix, group in groups:
        assert isinstance(group, typer.Typer)
        for command in group.registered_commands:
            assert command.callback is not None
            name = prefix + (command.name or command.callback.__name__)
            assert "as_json" in command.callback.__annotations__, name
            assert f"`{name}" in PAGE, name
