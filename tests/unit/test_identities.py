"""Identities as numbers decide what they decide as text, are written as they were read, and take little memory."""

import hashlib
import random

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from toolkit.curation import dealing
from toolkit.curation.annotations import ANNOTATION_SCHEMA, annotation_frame
from toolkit.curation.assembly import Batch
from toolkit.curation.decide import HISTORY_COLUMNS, decide, decision_columns
from toolkit.curation.identities import CODED, in_slices, numbered, repeated, spelled
from toolkit.curation.labelling import label_blocks, label_images
from toolkit.curation.recipe import Recipe

TEXT = ("source", "refusal", "image_id", "sha256", "pixel_hash", "luma_hash", "duplicate_group", "split")
IDENTITIES = ("image_id", "sha256", "pixel_hash", "luma_hash", "duplicate_group")
WHOLE = {"row": pl.UInt32, "perceptual_hash": pl.Int64, "width_px": pl.Int32, "height_px": pl.Int32, "size_bytes": pl.Int64}


def sha(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def images(count: int, chance: random.Random, first: int = 0) -> pl.DataFrame:
    """Occurrences of which many are copies, alike, small or refused, and whose names are in no order."""
    rows = []
    for row in range(count):
        content = chance.randrange(first, first + count)
        rows.append(
            {
                "row": row,
                "source": f"{chance.randrange(10**6):06d}/{row}.jpg",
                "refusal": "damaged" if content % 11 == 0 else None,
                "image_id": sha(content)[:32],
                "sha256": sha(content),
                "pixel_hash": sha(-1 - content // 2)[:32] if content % 5 == 0 else None,
                "perceptual_hash": (content // 3) * 0x9E3779B97F4A7C15 % 2**63 ^ (1 << content % 3),
                "width_px": 8 if content % 13 == 0 else 60 + content % 7,
                "height_px": 50,
                "size_bytes": 1000 + content % 4,
                "entropy_bits": 0.5 if content % 17 == 0 else 7.0,
            }
        )
    schema = {name: pl.String if name in TEXT else WHOLE.get(name, pl.Float32) for name in decision_columns(Recipe())}
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema, orient="row")


def as_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(numbered(name) for name in IDENTITIES if name in frame.columns)


def history_of(rows: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    none = pl.DataFrame(schema={name: pl.String if name in TEXT else WHOLE.get(name, pl.Float32) for name in HISTORY_COLUMNS})
    decided = rows.join(spelled(decide(rows, none, recipe).frame), on="row").filter(pl.col("state") == "kept")
    return decided.unique("image_id", keep="any").sort("image_id").select(HISTORY_COLUMNS)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"near_duplicates": {"action": "drop", "transforms": "all"}},
        {"exact_duplicates": False},
        {"odd_sizes": "drop", "late_bridges": "exclude_from_train", "seed": 5},
    ],
)
def test_numbers_decide_what_text_decides(changes):
    chance, recipe = random.Random(7), Recipe.load(changes)
    rows = images(400, chance)
    history = history_of(images(300, chance, first=200), recipe)
    barred = pl.Series([sha(3), sha(250)])
    text = decide(rows, history, recipe, barred)
    nameless = as_numbers(rows).drop("source").with_columns(pl.col("refusal").cast(CODED))
    numbers = decide(
        nameless,
        as_numbers(history),
        recipe,
        barred.to_frame("sha256").select(numbered("sha256")).to_series(),
        rows.lazy().select("row", "source"),
    )
    assert_frame_equal(spelled(numbers.frame), spelled(text.frame))
    assert_frame_equal(spelled(numbers.bridges), spelled(text.bridges))
    assert min(text.counts[state] for state in ("kept", "dropped", "quarantined")) > 0


def test_what_is_held_of_each_outcome_is_small():
    count = 5_000
    rows = as_numbers(images(count, random.Random(1))).drop("source").with_columns(pl.col("refusal").cast(CODED))
    sources = pl.LazyFrame(
        {"row": range(count), "source": [f"{row:09}" for row in range(count)]}, schema_overrides={"row": pl.UInt32}
    )
    history = as_numbers(
        pl.DataFrame(schema={name: pl.String if name in TEXT else WHOLE.get(name, pl.Float32) for name in HISTORY_COLUMNS})
    )
    outcomes = pl.concat(
        [decide(rows, history, Recipe(), None, sources).frame, rows.select("image_id", "size_bytes", "pixel_hash")],
        how="horizontal",
    )
    assert outcomes.estimated_size() / count < 100
    assert rows.drop("sha256").estimated_size() / count < 100


def test_digits_come_back_as_they_were_and_nothing_stays_nothing():
    ids = [sha(number)[:32] for number in range(300)] + ["0" * 32, "f" * 32, None]
    frame = pl.DataFrame({"id": ids, "state": pl.Series([None, *["kept"] * 302], dtype=CODED), "n": range(303)})
    back = spelled(frame.with_columns(numbered("id")))
    assert back.schema == {"id": pl.String, "state": pl.String, "n": pl.Int64}
    assert back["id"].to_list() == ids
    assert frame.with_columns(numbered("id")).sort("id", "n")["n"].to_list() == frame.sort("id", "n")["n"].to_list()


def test_rows_that_are_repeated_are_all_named():
    chance = random.Random(3)
    keys = pl.DataFrame({"a": [chance.randrange(300) for _ in range(400)], "b": [chance.choice(["x", None]) for _ in range(400)]})
    assert repeated(keys).to_list() == keys.is_duplicated().to_list()


def test_slices_make_what_the_whole_makes():
    values = pl.Series(range(200_000))
    assert in_slices(lambda some: some * 2, values).equals(values * 2)


def test_labels_of_blocks_lie_in_a_file_as_those_of_the_whole(tmp_path):
    sources = [f"raw/{kind}/{number}.jpg" for kind in ("train", "cat", "x") for number in range(40)]
    rows = pl.DataFrame(
        {"source": sources, "folder_label": [None if "/x/" in source else source.split("/")[1] for source in sources]}
    )
    empty = {"orientation": pl.Int16, "width_px": pl.Int32, "height_px": pl.Int32}
    rows = rows.with_row_index("row").with_columns(pl.lit(None, kind).alias(name) for name, kind in empty.items())
    none = ANNOTATION_SCHEMA.to_frame()
    found, labels = label_blocks(rows.iter_slices(50), none, "auto", tmp_path / "labels.parquet")
    whole = label_images(rows, none).frame
    assert len(whole) == 80
    assert_frame_equal(labels.collect(), whole)
    assert found.frame.is_empty()


def test_what_annotations_say_of_blocks_lies_in_a_file_as_that_of_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(dealing, "_SHARE_ROWS", 7)
    rows = pl.DataFrame({"source": [f"raw/train/{number:03d}.jpg" for number in range(60)]}).with_row_index("row")
    rows = rows.filter(pl.col("row") % 5 != 4).with_columns(folder_label=pl.lit(None, pl.String), width_px=64, height_px=48)
    rows = rows.with_columns(orientation=pl.lit(None, pl.Int16))
    files = [
        annotation_frame(
            {"file": f"raw/{kind}.csv", "kind": kind, "name": f"train/{number:03d}.jpg", "target": f"raw/train/{number:03d}.jpg"}
            | ({"metadata": [{"key": "k", "value": f"{kind} {number}"}, {"key": "same", "value": "x"}]} if number % 3 else {})
            for number in order
        )
        for kind, order in (("coco", range(59, -1, -1)), ("table", range(0, 60, 2)))
    ]
    whole = label_images(rows, pl.concat(files)).frame
    several = whole.filter(row=10)["metadata"].to_list()[0]
    assert [pair["value"] for pair in several] == ["table 10", "x", "coco 10", "train"]
    without = [file.with_columns(metadata=pl.lit(None, file.schema["metadata"])) for file in files]
    parts = [part["metadata"] for file in files for part in file.iter_slices(11)]
    for annotations, metadata in (
        (pl.concat(files), []),  # all of it in the lines
        (
            pl.concat([without[0], files[1]]),
            [part["metadata"] for part in files[0].iter_slices(11)],
        ),  # that of the first elsewhere
        (pl.concat(without), parts),  # all of it elsewhere
    ):
        found, labels = label_blocks(rows.iter_slices(9), annotations, "auto", tmp_path / "labels.parquet", iter(metadata))
        assert_frame_equal(labels.collect(), whole)
        assert found.frame.is_empty()
    assert [path.name for path in tmp_path.iterdir()] == ["labels.parquet"]


def test_the_catalog_has_the_labels_that_lie_in_a_file(tmp_path):
    facts = pl.DataFrame({"source": ["a", "b"], "image_id": [sha(0)[:32], sha(1)[:32]], "size_bytes": [1, 2]})
    facts.with_columns(locator=pl.lit("{}"), pixel_hash=pl.lit(None, pl.String)).write_ipc(tmp_path / "0.probe.arrow")
    outcomes = as_numbers(facts).with_row_index("row").select(
        "row", "image_id", "size_bytes", pl.lit("kept", CODED).alias("state"), pl.lit("train", CODED).alias("split"),
        pl.lit(None, CODED).alias("reason"), pl.lit(None, pl.UInt128).alias("duplicate_of"), pl.col("image_id").alias("duplicate_group"),
        pl.lit(7, pl.UInt128).alias("pixel_hash"),
    )  # fmt: skip
    labels = pl.LazyFrame(
        {"row": [1], "label": ["x"], "licence": [None]}, schema={"row": pl.UInt32, "label": pl.String, "licence": pl.String}
    )
    batch = Batch(parts=[tmp_path / "0.probe.arrow"], outcomes=outcomes, labels=labels, recipe=Recipe())
    rows = pl.from_arrow(next(batch.catalog("b")))
    assert rows.select("source", "label", "state", "pixel_hash", "duplicate_group").rows() == [
        ("a", None, "kept", f"{7:032x}", sha(0)[:32]),
        ("b", "x", "kept", f"{7:032x}", sha(1)[:32]),
    ]
