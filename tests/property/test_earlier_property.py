import tracemalloc

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.near_duplicate_scaling import flipped
from toolkit.curation.dedupe import near_groups
from toolkit.curation.earlier import Labelled, near_labels
from toolkit.curation.neighbours import moved, tables
from toolkit.curation.splits import assign_splits, plan_shards

HASH = st.integers(0, 2**64 - 1)
FEW_BITS = st.lists(st.integers(0, 63), max_size=6).map(lambda bits: sum({1 << bit for bit in bits}))


@st.composite
def clustered(draw):
    """Hashes some of which lie a few bits from others, as near duplicates do."""
    centres = draw(st.lists(HASH, min_size=1, max_size=6))
    flips = draw(st.lists(st.tuples(st.sampled_from(centres), FEW_BITS), max_size=20))
    return sorted({*centres, *(centre ^ bits for centre, bits in flips)})


@given(clustered(), clustered(), st.integers(0, 8), st.integers(1, 5), st.booleans(), st.data())
@settings(deadline=None, max_examples=80)
def test_the_nearest_of_each_pair_of_labels_is_found_and_no_other(new, more, distance, label_count, in_parts, data):
    old = sorted({*more, *data.draw(st.lists(st.sampled_from(new), max_size=5))})
    labels = [data.draw(st.lists(st.integers(0, label_count), min_size=len(side), max_size=len(side))) for side in (new, old)]
    expected = {}
    for a, own in zip(new, labels[0], strict=True):
        for b, other in zip(old, labels[1], strict=True):
            if (bits := (a ^ b).bit_count()) <= distance:
                expected[own, other] = min(bits, expected.get((own, other), 99))
    sides = [
        Labelled(hashes=np.array(hashes, dtype=np.uint64), labels=np.array(numbers, dtype=np.int64))
        for hashes, numbers in zip((new, old), labels, strict=True)
    ]
    memory_bytes = 8 * (len(new) + len(old)) if in_parts else 2**30
    found = near_labels(*sides, distance, memory_bytes=memory_bytes, threads=1)
    assert list(zip(*(part.tolist() for part in found), strict=True)) == [(*pair, expected[pair]) for pair in sorted(expected)]


@given(st.integers(0, 4), st.integers(1, 4), FEW_BITS)
@settings(deadline=None)
def test_any_few_bits_miss_the_chosen_blocks_of_at_least_one_table(distance, more, bits):
    if bits.bit_count() <= distance:
        turned = np.array([bits], dtype=np.uint64)
        made = [int(moved(turned, steps)[0]) >> rest for steps, rest in tables(distance + more, distance)]
        assert 0 in made


def test_a_crowd_before_a_crowd_of_earlier_ones_takes_the_memory_that_it_was_given():
    side = 1_500
    rng = np.random.default_rng(3)
    crowd = np.unique(flipped(np.full(4 * side, 0x0123456789ABCDEF, dtype=np.uint64), 2, rng))[: 2 * side]
    new, old = (np.sort(part) for part in (crowd[::2], crowd[1::2]))
    sides = [Labelled(hashes=part, labels=np.arange(len(part)) % 7) for part in (new, old)]
    tracemalloc.start()
    own, _, near = near_labels(*sides, 4, memory_bytes=2**20)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(new) * len(old) > 500_000
    assert len(own) == 49
    assert set(near.tolist()) <= {1, 2}
    assert peak_bytes < 4 * 2**20, f"{peak_bytes:,}"


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
