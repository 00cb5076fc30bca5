"""The rows of a batch, block by block: in their order, once each, and without a second look at what was read."""

import dataclasses

import polars as pl
import pytest

from toolkit.curation import assembly
from toolkit.curation.assembly import Batch
from toolkit.curation.decide import DECISION_COLUMNS, HISTORY_COLUMNS, decide, decision_columns
from toolkit.curation.packing import _plan
from toolkit.curation.probing import _column, _part_schema
from toolkit.curation.recipe import Recipe

COUNT = 100


@pytest.fixture
def batch(tmp_path):
    facts = pl.DataFrame({"source": [f"s{row:03}" for row in range(COUNT)], "image_id": [f"{row:032x}" for row in range(COUNT)]})
    facts = facts.with_columns(check=pl.when(pl.int_range(pl.len()) % 7 != 2).then("image_id"))  # one in seven has none
    missing = [pl.lit(None, kind).alias(name) for name, kind in _part_schema().items() if name not in facts.columns]
    parts = []
    for number, start in enumerate((0, 7, 14, 64, 71)):  # the third alone is larger than a block
        part = facts.slice(start, {2: 50, 4: 29}.get(number, 7)).with_columns(missing).select(_part_schema().names())
        parts.append(tmp_path / f"{number}.probe.arrow")
        part.write_ipc(parts[-1])
    is_kept = pl.col("row") % 4 != 0
    outcomes = facts.with_row_index("row").with_columns(
        size_bytes=pl.lit(10, pl.Int64),
        pixel_hash=pl.lit(None, pl.String),
        state=pl.when(is_kept).then(pl.lit("kept")).otherwise(pl.lit("dropped")),
        reason=pl.lit(None, pl.String),
        duplicate_of=pl.lit(None, pl.String),
        duplicate_group="image_id",
        split=pl.when(is_kept).then(pl.when(pl.col("row") < 50).then(pl.lit("train")).otherwise(pl.lit("test"))),
    )
    labels = pl.DataFrame(
        {"row": [3, 98], "label": ["x", "y"], "licence": [None, "CC0"]},
        schema={"row": pl.UInt32, "label": pl.String, "licence": pl.String},
    )
    return Batch(parts=parts, row_counts=[7, 7, 50, 7, 29], outcomes=outcomes, labels=labels, recipe=Recipe(shard_bytes=200))


@pytest.fixture
def scanned(monkeypatch):
    """The parts that were looked at, each as often as it was."""
    names = []
    scan = pl.scan_ipc

    def noted(source, **options):
        names.extend(path.name for path in source)
        return scan(source, **options)

    monkeypatch.setattr(pl, "scan_ipc", noted)
    return names


def test_shards_get_their_images_in_the_order_of_the_shuffle_from_one_reading(batch, scanned, tmp_path, monkeypatch):
    monkeypatch.setattr(assembly, "_BLOCK_ROWS", 10)
    planned = batch.planned()
    plans = batch.plan("b", tmp_path / "plan", planned, planned.select("row").clear())
    assert sorted(scanned) == [path.name for path in batch.parts]
    assert len(plans) > 2
    whole = pl.concat([_plan(plan).with_columns(shard=plan.index, planned_split=pl.lit(plan.split)) for plan in plans])
    assert whole["row"].to_list() == planned["row"].to_list()
    for name in ("shard", "planned_split"):
        assert whole[name].to_list() == planned[name].to_list()
    assert whole["source"].to_list() == [f"s{row:03}" for row in planned["row"]]
    assert whole["check"].to_list() == [None if row % 7 == 2 else f"{row:032x}" for row in planned["row"]]
    assert dict(whole.drop_nulls("label").select("row", "label").iter_rows()) == {3: "x", 98: "y"}


def test_the_catalog_is_the_same_whatever_the_blocks(batch, scanned, monkeypatch):
    blocks = list(batch.catalog("b"))
    monkeypatch.setattr(assembly, "_BLOCK_ROWS", 10)
    scanned.clear()
    rows = [row for table in batch.catalog("b") for row in table.to_pylist()]
    assert sorted(scanned) == [path.name for path in batch.parts]
    assert rows == [row for table in blocks for row in table.to_pylist()]
    assert [row["source"] for row in rows] == [f"s{row:03}" for row in range(COUNT)]


def test_a_block_of_which_nothing_is_kept_gives_a_plan_nothing(batch, tmp_path, monkeypatch):
    monkeypatch.setattr(assembly, "_BLOCK_ROWS", 10)
    is_late = pl.col("row") >= 50
    outcomes = batch.outcomes.with_columns(state=pl.when(is_late).then("state").otherwise(pl.lit("dropped")))
    late = dataclasses.replace(batch, outcomes=outcomes)
    planned = late.planned()
    plans = late.plan("b", tmp_path / "plan", planned, planned.select("row").clear())
    rows = pl.concat([_plan(plan) for plan in plans])["row"]
    assert sorted(rows) == [row for row in range(50, COUNT) if row % 4]


def test_decisions_need_no_scores_but_those_that_a_recipe_asks_for():
    recipe = Recipe.load({"filters": {"sharpness_score": {"at_least": 2}}})
    columns = decision_columns(recipe)
    assert {"entropy_bits", "sharpness_score"} <= set(columns)
    assert len(columns) == len(DECISION_COLUMNS) - 8
    texts = {"source", "refusal", "image_id", "sha256", "pixel_hash", "luma_hash"}
    schema = {name: pl.String if name in texts else pl.Float32 for name in columns}
    schema |= {"row": pl.UInt32, "perceptual_hash": pl.Int64, "width_px": pl.Int32, "height_px": pl.Int32, "size_bytes": pl.Int64}
    rows = [
        {"row": row, "source": f"{row}", "image_id": f"{row:032x}", "sha256": f"{row:064x}", "width_px": 20, "height_px": 20}
        | {"sharpness_score": score, "perceptual_hash": row << 32}
        for row, score in enumerate((1.0, 3.0))
    ]
    texts = {"image_id", "sha256", "pixel_hash", "luma_hash", "duplicate_group", "split"}
    history = pl.DataFrame(schema={name: pl.String if name in texts else pl.Int64 for name in HISTORY_COLUMNS})
    assert decide(pl.DataFrame(rows, schema=schema), history, recipe).frame["state"].to_list() == ["dropped", "kept"]


@pytest.mark.parametrize("values", [[None, [], ["a"], [], ["a", "b"], ["a"], None], [None], []])
def test_flags_become_the_column_that_polars_makes_of_them(values):
    kind = _part_schema()["flags"]
    assert _column("flags", values, kind).equals(pl.Series("flags", values, kind), null_equal=True, check_dtypes=True)
