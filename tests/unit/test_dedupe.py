import numpy as np
import polars as pl

from toolkit.curation.dedupe import exact_duplicates, near_groups, near_pairs, twin_candidates

ROWS = {"row": pl.UInt32, "source": pl.String, "image_id": pl.String, "sha256": pl.String, "pixel_hash": pl.String}
HASHES = {"perceptual_hash": pl.Int64, "duplicate_group": pl.String}


def images(*rows):
    return pl.DataFrame(rows, schema=ROWS, orient="row")


def hashed(*rows):
    schema = {"row": pl.UInt32, "source": pl.String, "image_id": pl.String, "perceptual_hash": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def luma(*rows):
    schema = {"image_id": pl.String, "sha256": pl.String, "width_px": pl.Int32, "height_px": pl.Int32}
    return pl.DataFrame(rows, schema=schema | {"luma_hash": pl.String, "pixel_hash": pl.String}, orient="row")


NO_HISTORY = pl.DataFrame(schema=ROWS)
NO_GROUPS = pl.DataFrame(schema=HASHES)


def test_the_smallest_source_of_equal_bytes_is_kept_whatever_the_order():
    rows = images((0, "z.jpg", "i1", "s1", None), (1, "a.jpg", "i1", "s1", None), (2, "m.jpg", "i2", "s2", None))
    assert exact_duplicates(rows, NO_HISTORY).rows() == [(0, "i1")]


def test_equal_pixels_under_other_bytes_are_duplicates():
    rows = images((0, "a.png", "i1", "s1", "p"), (1, "b.png", "i2", "s2", "p"), (2, "c.png", "i3", "s3", "q"))
    assert exact_duplicates(rows, NO_HISTORY).rows() == [(1, "i1")]


def test_earlier_batches_win_over_a_smaller_source():
    rows = images((0, "a.png", "i1", "s1", "p"), (1, "b.png", "i2", "s2", None))
    history = images((9, "z.png", "h1", "s9", "p"), (8, "y.png", "i2", "s2", None))
    assert sorted(exact_duplicates(rows, history).rows()) == [(0, "h1"), (1, "i2")]


def test_a_match_of_bytes_with_history_carries_over_equal_pixels():
    rows = images((0, "a.png", "i1", "s1", "p"), (1, "b.png", "i2", "s2", "p"))
    history = images((9, "z.png", "i2", "s2", None))
    assert sorted(exact_duplicates(rows, history).rows()) == [(0, "i2"), (1, "i2")]


def test_images_without_pixel_hash_are_not_each_others_duplicates():
    rows = images((0, "a", "i1", "s1", None), (1, "b", "i2", "s2", None))
    assert exact_duplicates(rows, NO_HISTORY).is_empty()


def test_twins_are_contents_with_equal_size_and_luma_once_each():
    rows = luma(
        ("i1", "s1", 8, 8, "l", None),
        ("i2", "s2", 8, 8, "l", None),
        ("i2", "s2", 8, 8, "l", None),
        ("i3", "s3", 9, 8, "l", None),
        ("i4", "s4", 8, 8, "k", None),
        ("i4", "s4", 8, 8, "k", None),
        ("i5", "s5", 8, 8, None, None),
    )
    assert twin_candidates(rows, luma()).rows() == [("i1", "s1", True), ("i2", "s2", True)]


def test_twins_of_history_are_told_apart_and_old_pairs_left_alone():
    rows = luma(("i1", "s1", 8, 8, "l", None), ("i9", "s9", 8, 8, "old", "p"))
    history = luma(("h1", "t1", 8, 8, "l", None), ("h2", "t2", 7, 7, "m", None), ("h3", "t3", 7, 7, "m", None))
    assert twin_candidates(rows, history).rows() == [("i1", "s1", True), ("h1", "t1", False)]


def test_pairs_at_the_distance_are_found_and_beyond_it_are_not():
    left = pl.Series([0, 0b1111 << 20, 0b11111 << 40], dtype=pl.UInt64)
    assert near_pairs(left, left, 4).rows() == [(0, 1, 4)]
    assert near_pairs(left, left, 0).is_empty()
    assert near_pairs(left.head(1), left.tail(2), 5).rows() == [(0, 0, 4), (0, 1, 5)]


def test_a_group_is_closed_under_nearness_and_named_after_its_smallest_source():
    rows = hashed((0, "c", "i0", 0), (1, "b", "i1", 0b1111), (2, "a", "i2", 0b11111111), (3, "d", "i3", -1))
    groups = near_groups(rows, NO_GROUPS, 4)
    assert groups.members.rows() == [(0, "i2"), (1, "i2"), (2, "i2"), (3, "i3")]
    assert groups.bridges.is_empty()


def test_an_earlier_group_is_joined_and_a_late_bridge_is_told():
    rows = hashed((0, "a", "i0", 0b0111), (1, "b", "i1", 0b0011))
    history = pl.DataFrame([(0, "g1"), (0b1111111, "g2"), (-1, "g3")], schema=HASHES, orient="row")
    groups = near_groups(rows, history, 4)
    assert groups.members["duplicate_group"].to_list() == ["g1", "g1"]
    assert groups.bridges.rows() == [(0, "g1", "g2"), (1, "g1", "g2")]


def test_an_image_is_found_in_another_position_among_new_and_earlier_ones_if_asked():
    mirrored = 0x5555555555555555
    new, old = 0x0FEDCBA987651234, 0x123456789ABCDEF0
    rows = hashed((0, "a", "i0", new), (1, "b", "i1", new ^ mirrored ^ 0b1), (2, "c", "i2", old ^ mirrored ^ 0b1110))
    history = pl.DataFrame([(old, "g")], schema=HASHES, orient="row")
    assert near_groups(rows, history, 4).members["duplicate_group"].to_list() == ["i0", "i1", "i2"]
    for transforms in ("flips", "all"):
        found = near_groups(rows, history, 4, transforms=transforms).members["duplicate_group"].to_list()
        assert found == ["i0", "i0", "g"], transforms
    assert near_groups(rows, history, 4, transforms="rotations").members["duplicate_group"].to_list() == ["i0", "i1", "i2"]


def test_earlier_images_are_compared_in_parts_that_fit_the_memory_and_none_is_missed():
    count = 3_000
    old = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, count)
    history = pl.DataFrame({"perceptual_hash": old, "duplicate_group": [f"g{i}" for i in range(count)]}, schema=HASHES)
    chosen = range(0, count, 7)
    rows = hashed(*((row, f"{row:05}", f"i{row}", int(old[i]) ^ 0b101) for row, i in enumerate(chosen)))
    for memory_bytes in (2**30, 2**17):
        found = near_groups(rows, history, 4, memory_bytes=memory_bytes).members["duplicate_group"].to_list()
        assert found == [f"g{i}" for i in chosen]


def test_no_images_give_no_groups():
    assert near_groups(hashed(), NO_GROUPS, 4).members.is_empty()
