"""Scenarios that are wrong: the table of them, each with the one sentence it must give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import toolkit
from toolkit.cli import run
from toolkit.errors import TonnageError

TABLE = yaml.safe_load((Path(__file__).parents[1] / "cases" / "bad_scenarios.yaml").read_text(encoding="utf-8"))
WHOLE_SCENARIO = {"the scenario: 'name' is missing"}


def test_the_table_is_long_enough_and_has_no_sentence_that_names_no_key() -> None:
    assert len(TABLE) >= 60
    assert [row["says"] for row in TABLE if row["says"].count("'") < 2] == []
    assert len({str(row["scenario"]) for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize("row", TABLE, ids=[str(index) for index in range(len(TABLE))])
def test_a_bad_scenario_gives_its_sentence(row: dict[str, Any]) -> None:
    with pytest.raises(TonnageError) as caught:
        toolkit.project(row["scenario"], draws=2)
    said = str(caught.value)
    expected = row["says"].removesuffix("...")
    assert said == expected if expected == row["says"] else said.startswith(expected)
    assert "\n" not in said
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("index", [0, 13, 27, 60])
def test_on_the_command_line_it_is_one_line_and_exit_2(index: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(TABLE[index]["scenario"]))
    assert run(["project", str(path)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert TABLE[index]["says"].removeprefix("the scenario").removeprefix(": ").split("'")[1] in told.err
