import numpy as np
import polars as pl
import pytest

from toolkit.curation.splits import MAX_SHARD_ROWS, assign_splits, mixed, plan_shards

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def ids(count):
    rng = np.random.default_rng(5)
    return pl.Series([rng.bytes(16).hex() for _ in range(count)])


def test_splits_follow_the_shares():
    counts = dict(assign_splits(ids(20_000), SHARES, 0).value_counts().iter_rows())
    assert counts["train"] == pytest.approx(16_000, abs=300)
    assert counts["test"] == pytest.approx(2_000, abs=200)


def test_splits_are_the_same_on_every_machine():
    founders = pl.Series(["0" * 32, "f" * 32, "0123456789abcdef" * 2])
    assert mixed(founders, 0, "split").tolist() == [8048404316263948582, 8763725956695031940, 9468465628845664437]


def test_another_seed_moves_images_and_the_purposes_are_independent():
    founders = ids(1000)
    same = assign_splits(founders, {"train": 0.5, "test": 0.5}, 0) == assign_splits(founders, {"train": 0.5, "test": 0.5}, 1)
    assert 400 < same.sum() < 600
    assert abs(np.corrcoef(mixed(founders, 0, "split").astype(float), mixed(founders, 0, "shuffle").astype(float))[0, 1]) < 0.1


def test_a_single_split_takes_all():
    assert set(assign_splits(ids(100), {"train": 1.0}, 3)) == {"train"}


def test_shards_hold_about_their_bytes_and_each_split_starts_at_zero():
    kept = pl.DataFrame({"image_id": ids(1000), "size_bytes": np.full(1000, 10)}).with_columns(
        split=pl.Series(["train"] * 900 + ["test"] * 100)
    )
    plan = plan_shards(kept, 1000, seed=0)
    sizes = plan.group_by("split", "shard").agg(pl.col("size_bytes").sum())
    assert sizes.filter(pl.col("split") == "train")["shard"].sort().to_list() == list(range(9))
    assert sizes.filter(pl.col("split") == "test")["shard"].to_list() == [0]
    assert sizes["size_bytes"].max() <= 1010


def test_the_order_does_not_depend_on_the_order_of_input():
    kept = pl.DataFrame({"image_id": ids(300), "size_bytes": range(1, 301), "split": ["train"] * 300})
    plan = plan_shards(kept, 5000, seed=1)
    assert plan_shards(kept.reverse(), 5000, seed=1).equals(plan)
    assert not plan_shards(kept, 5000, seed=2).equals(plan)
    assert plan["image_id"].to_list() != sorted(plan["image_id"].to_list())


def test_an_image_larger_than_a_shard_is_placed():
    kept = pl.DataFrame({"image_id": ids(3), "size_bytes": [5, 5000, 0], "split": ["train"] * 3})
    assert len(plan_shards(kept, 100, seed=0)) == 3


def test_no_shard_holds_more_small_images_than_its_writer_can() -> None:
    count = 5 * MAX_SHARD_ROWS + 5
    kept = pl.DataFrame({"image_id": [f"{index:032x}" for index in range(count)], "split": "train", "size_bytes": 700})
    rows = plan_shards(kept, 256 * 2**20, seed=0).group_by("shard").len()["len"]
    assert (rows.len(), rows.sum()) == (6, count)
    assert rows.max() <= MAX_SHARD_ROWS


def test_a_split_that_fits_in_one_shard_is_cut_for_several_writers_unless_it_is_small() -> None:
    def shard_count(image_count: int) -> int:
        kept = pl.DataFrame({"image_id": ids(image_count), "size_bytes": 2**20, "split": "train"})
        return plan_shards(kept, 256 * 2**20, seed=0)["shard"].n_unique()

    assert [shard_count(size_mib) for size_mib in (63, 64, 130, 250, 600, 2_560)] == [1, 2, 4, 4, 4, 10]
