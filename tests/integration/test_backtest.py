"""The whole back-test on a small dataset: sizes predicted, curated and read for real; saved; shown by the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import toolkit
from tests.measured_dataset import build
from toolkit.cli import app
from toolkit.errors import DatasetError, MissingError, UsageError
from toolkit.facts.backtests import Backtest

SAID: list[tuple[str, int, int | None, str]] = []


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Backtest]:
    place = build(tmp_path_factory.mktemp("backtested") / "dataset", 24)
    return place, toolkit.backtest(place, limit_s=5, progress=lambda *facts: SAID.append(facts))


def test_every_kind_is_predicted_up_to_eight_times_and_measured(found: tuple[Path, Backtest]) -> None:
    _, result = found
    kinds = {law.kind for law in result.laws}
    assert kinds >= {"image_bytes", "shard_bytes", "catalog_bytes", "capacity_bytes", "curate_s", "curate_cpu_s"}
    assert kinds >= {"read_s", "verify_s", "random_s", "loader_s", "transfer_s", "decode_images_per_s"}
    assert {p.size_factor for p in result.predictions if p.kind == "curate_s"} == {2.0, 4.0, 8.0}
    cold = [p for p in result.predictions if p.kind == "read_cold_s"]  # only those whose cache was proven cold
    assert len(result.predictions) - len(cold) == result.trial_count * (7 * 3 + 2 * 10 + 6 + 6 + 8)
    assert {p.size_factor for p in result.predictions if p.kind == "random_s"} == {2.0, 3.0, 4.0, 5.0, 6.0, 8.0}
    assert len(cold) <= result.trial_count * 10
    assert all(p.value > 0 and p.p10 <= p.p50 <= p.p90 for p in result.predictions if p.kind.endswith("bytes"))
    assert all(score.farthest_error_share < 0.25 for score in result.scores if score.kind.endswith("_bytes"))
    assert all(p.predicted_by for p in result.predictions)
    assert sum(p.predicted_by.startswith("project: ") for p in result.predictions) >= result.trial_count * 4 * 3
    assert result.varied_share == 1.0
    assert result.predicted_image_counts == tuple(8 * 4 * f for f in (2, 4, 8))


def test_what_was_measured_is_what_lies_on_disk(found: tuple[Path, Backtest]) -> None:
    place, result = found
    mean = sum(p.stat().st_size for p in (place / "images").glob("*.parquet")) / 24
    shards = [o for o in result.observations if o.kind == "shard_bytes"]
    catalogs = [o for o in result.observations if o.kind == "catalog_bytes"]
    assert all(0.6 < o.value / (mean * 32 * o.size_factor) < 1.7 for o in shards)
    assert {o.driver_count for o in catalogs} == {8, 16, 32, 64, 128, 256}
    asked = {kind: {o.driver_count for o in result.observations if o.kind == kind} for kind in ("random_s", "transfer_s")}
    # a quarter of the usual, as the limit is short
    assert asked["random_s"] == {256 * f for f in (0.25, 0.5, 1, 2, 3, 4, 5, 6, 8)}
    range_bytes = min(asked["transfer_s"]) / 8
    assert asked["transfer_s"] == {32 * f * range_bytes for f in (0.25, 0.5, 1, 2, 3, 4, 5, 6, 8)}
    assert all(
        o.value > i.value for o, i in zip(shards, (o for o in result.observations if o.kind == "image_bytes"), strict=True)
    )


def test_it_lies_beside_the_dataset_and_is_read_back_whole(found: tuple[Path, Backtest]) -> None:
    place, result = found
    saved = list((place / "backtests").iterdir())
    assert len(saved) == 1  # nothing else is left behind
    again = Backtest.load(saved[0])
    assert again == result
    assert again.frame().height == len(result.predictions)
    assert 0 <= again.chance_share <= 1
    assert again.sentence in repr(again)
    assert toolkit.open_dataset(place).version == result.dataset_version  # the dataset itself is untouched


def test_progress_was_told(found: tuple[Path, Backtest]) -> None:
    assert {facts[0] for facts in SAID} >= {"backtest"}
    assert all(total is not None and done <= total for _, done, total, _ in SAID)


def test_a_file_of_another_kind_is_refused(tmp_path: Path, found: tuple[Path, Backtest]) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"schema": "tonnage.profile/1"}))
    with pytest.raises(DatasetError, match="a back-test of schema"):
        Backtest.load(other)
    lacking = found[1].to_dict()
    del lacking["laws"]
    with pytest.raises(DatasetError, match="lacks"):
        Backtest.from_dict(lacking)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"limit_s": 1}, UsageError, "the limit must be 5 s or more"),
        ({"limit_s": float("nan")}, UsageError, "the limit must be 5 s or more"),
        ({"out": "there.txt"}, UsageError, "out must be a .json file"),
    ],
)
def test_mistakes_are_a_sentence(found: tuple[Path, Backtest], arguments: dict, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        toolkit.backtest(found[0], **arguments)


def test_a_dataset_that_is_not_there_or_empty_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no dataset"):
        toolkit.backtest(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no images to test with"):
        toolkit.backtest(build(tmp_path / "empty", 0))


def test_the_command_refuses_a_bad_limit_without_a_traceback(found: tuple[Path, Backtest]) -> None:
    done = CliRunner().invoke(app, ["backtest", str(found[0]), "--limit", "3 apples"])
    assert done.exit_code != 0
    assert "apples" in str(done.exception or done.output)
