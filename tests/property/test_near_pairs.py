import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.curation.dedupe import _block_masks, near_groups, near_pairs
from toolkit.curation.splits import assign_splits, plan_shards

HASH = st.integers(0, 2**64 - 1)
FEW_BITS = st.lists(st.integers(0, 63), max_size=6).map(lambda bits: sum({1 << bit for bit in bits}))


@st.composite
def clustered(draw):
    """Hashes some of which lie a few bits from others, as near duplicates do."""
    centres = draw(st.lists(HASH, min_size=1, max_size=6))
    flips = draw(st.lists(st.tuples(st.sampled_from(centres), FEW_BITS), max_size=20))
    return sorted({*centres, *(centre ^ bits for centre, bits in flips)})


@given(clustered(), st.integers(0, 8))
@settings(deadline=None, max_examples=60)
def test_every_pair_within_the_distance_is_found_and_no_other(hashes, distance):
    series = pl.Series(hashes, dtype=pl.UInt64)
    found = set(near_pairs(series, series, distance).rows())
    expected = {
        (i, j, (a ^ b).bit_count())
        for i, a in enumerate(hashes)
        for j, b in enumerate(hashes)
        if i < j and (a ^ b).bit_count() <= distance
    }
    assert found == expected


@given(st.integers(0, 4), st.integers(1, 4), FEW_BITS)
@settings(deadline=None)
def test_any_few_bits_miss_at_least_one_mask(distance, more, bits):
    masks = _block_masks(distance, distance + more)
    if bits.bit_count() <= distance:
        assert any(mask & bits == 0 for mask in masks)


@given(clustered(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=30)
def test_groups_do_not_depend_on_order_and_never_straddle_splits(hashes, random):
    rows = [(f"{i:03}", f"{i:032x}", hash_ - 2**64 if hash_ >= 2**63 else hash_) for i, hash_ in enumerate(hashes)]
    schema = {"source": pl.String, "image_id": pl.String, "perceptual_hash": pl.Int64}
    history = pl.DataFrame(schema={"perceptual_hash": pl.Int64, "duplicate_group": pl.String})

    def grouped(order):
        frame = pl.DataFrame(order, schema=schema, orient="row").with_row_index("row")
        groups = near_groups(frame, history, 4).members
        return dict(frame.join(groups, on="row").select("source", "duplicate_group").iter_rows())

    shuffled = random.sample(rows, len(rows))
    groups = grouped(rows)
    assert grouped(shuffled) == groups
    splits = assign_splits(pl.Series(list(groups.values())), {"train": 0.5, "test": 0.5}, 0)
    assert len(set(zip(groups.values(), splits, strict=True))) == len(set(groups.values()))


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60), st.integers(1, 10**6))
@settings(deadline=None, max_examples=60)
def test_every_image_has_one_shard_and_shards_have_no_gaps(sizes, shard_bytes):
    kept = pl.DataFrame({"image_id": [f"{i * 7919:032x}" for i in range(len(sizes))], "size_bytes": sizes, "split": "train"})
    plan = plan_shards(kept, shard_bytes, 0)
    assert sorted(plan["image_id"]) == sorted(kept["image_id"])
    assert plan["shard"].is_sorted()
    for (shard,), part in plan.group_by("shard"):
        assert part["size_bytes"].sum() <= shard_bytes + max(sizes), shard
