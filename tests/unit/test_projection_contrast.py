"""Two projections side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import toolkit
from toolkit.cli import run
from toolkit.errors import UsageError
from toolkit.projection.contrasting import contrast

ONE: dict[str, Any] = {
    "name": "one", "horizon_months": 12, "dataset": {"images": 1e6, "image_size": "100 kB"},
    "training": {"epochs": 10, "deadline": "1 day"},
}  # fmt: skip
TWO: dict[str, Any] = ONE | {
    "name": "two", "horizon_months": 6, "dataset": {"images": 2e6, "image_size": "100 kB"}, "inference": {"requests_per_s": 100},
}  # fmt: skip


def test_what_was_asked_and_what_changes_stand_side_by_side() -> None:
    found = contrast(toolkit.project(ONE, draws=50), toolkit.project(TWO, draws=50))
    assert found.month == 6
    changes = {key: (old, new) for key, old, new in found.changes}
    assert changes["dataset.images"] == (1e6, 2e6)
    assert "dataset.image_size" not in changes
    rows = {row["quantity"]: row for row in found.frame.iter_rows(named=True)}
    assert rows["dataset.images"]["ratio"] == 2
    assert rows["dataset.images"]["is_apart"]
    assert rows["training.checkpoint_bytes"]["ratio"] == 1
    assert rows["inference.instance_count"]["before"] is None
    assert rows["storage.curated_bytes"]["ratio"] == pytest.approx(2)  # the same draws of what is not known


def test_the_command_takes_scenarios_and_projections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(ONE))
    toolkit.project(TWO, draws=2_000).save(tmp_path / "two.json")
    assert run(["compare", str(tmp_path / "one.yaml"), str(tmp_path / "two.json")]) == 0
    shown = capsys.readouterr().out
    assert "dataset.images: 1000000.0 -> 2000000.0" in shown
    assert "2x *" in shown
    assert run(["compare", str(tmp_path / "one.yaml"), str(tmp_path / "two.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["month"] == 6
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UsageError, match="is neither a projection"):
        contrast(tmp_path / "one.yaml", tmp_path / "x.json")
