"""Splits over any sequence of batches: no image moves, no group and no key straddles unless earlier batches had parted it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

import toolkit
from toolkit.curation.splits import assign_splits, settled_splits

SHARES = {"train": 0.5, "validation": 0.2, "test": 0.3}
SCHEMA = {"row": pl.UInt32, "duplicate_group": pl.String, "split_key": pl.String}
image = st.tuples(st.integers(0, 9), st.one_of(st.none(), st.sampled_from("abcde")))
batches = st.lists(st.lists(image, max_size=12), min_size=1, max_size=4)


def identity(group: int) -> str:
    """Return an identity whose first digits differ from group to group: those are what a split is drawn from."""
    return hashlib.sha256(bytes([group])).hexdigest()[:32]


@given(batches, st.integers(0, 50))
def test_a_key_never_straddles_and_a_group_only_where_earlier_batches_parted_it(found: list, seed: int) -> None:
    history = pl.DataFrame(schema={**SCHEMA, "split": pl.String})
    for batch in found:
        rows = [(number, identity(group), key) for number, (group, key) in enumerate(batch)]
        new = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        settled = settled_splits(new, history, SHARES, seed).join(new.select("row", "split_key"), on="row")
        assert settled["split"].null_count() == 0
        assert sorted(settled["row"]) == list(range(len(rows)))
        known = set(history["duplicate_group"]) | set(history["split_key"].drop_nulls())
        for group, key, split in settled.select("duplicate_group", "split_key", "split").iter_rows():
            if key is None and group in known:
                assert split == history.filter(duplicate_group=group)["split"][0]
        if not known:  # the first batch: nothing was parted before
            assert settled.group_by("duplicate_group").agg(pl.col("split").n_unique())["split"].max() in {1, None}
        history = pl.concat([history, settled.select(history.columns)])
        keyed = history.drop_nulls("split_key").group_by("split_key").agg(pl.col("split").n_unique())
        assert keyed["split"].max() in {1, None}


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(0, 50))
def test_without_keys_a_split_is_that_of_the_founder(found: list[int], seed: int) -> None:
    groups = pl.DataFrame({"row": range(len(found)), "duplicate_group": [identity(group) for group in found]})
    history = pl.DataFrame(schema={"duplicate_group": pl.String, "split": pl.String})
    settled = settled_splits(groups, history, SHARES, seed).sort("row")
    assert settled["split"].to_list() == assign_splits(groups["duplicate_group"], SHARES, seed).to_list()


def test_images_of_one_patient_share_a_split_over_batches_and_after_a_redecision(tmp_path: Path) -> None:
    photos = sorted((Path(__file__).resolve().parents[2] / "sample_data" / "photos").glob("*.jpg"))[:24]
    recipe = {"group_by": "patient", "splits": {"train": 0.5, "test": 0.5}}
    for part in range(2):
        folder = tmp_path / f"raw{part}"
        folder.mkdir()
        lines = ["file_name,patient"]
        for number, photo in enumerate(photos[part * 12 : part * 12 + 12]):
            with Image.open(photo) as opened:
                ImageEnhance.Brightness(opened.convert("RGB")).enhance(0.9).save(folder / f"{number}.jpg")
            lines.append(f"{number}.jpg,p{number % 6}")
        (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
        dataset = toolkit.curate([folder], tmp_path / "dataset", recipe=recipe)
    before = splits_of(dataset)
    assert before.height == 24
    assert before.group_by("patient").agg(pl.col("split").n_unique())["split"].to_list() == [1] * 6
    assert before["split"].n_unique() == 2
    fewer = toolkit.redecide(dataset, recipe | {"filters": {"sharpness_score": {"at_least": 1_500}}})
    assert 0 < len(fewer) < 24
    again = toolkit.redecide(fewer, recipe)
    assert splits_of(again).sort("image_id").equals(before.sort("image_id"))


def splits_of(dataset: toolkit.Dataset) -> pl.DataFrame:
    patient = pl.col("metadata").list.eval(pl.element().struct.field("value")).list.first().alias("patient")
    return dataset.scan("images").select("image_id", "split", patient).collect()
