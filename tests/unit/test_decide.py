import polars as pl
import pytest

from toolkit.curation.decide import DECISION_COLUMNS, HISTORY_COLUMNS, decide
from toolkit.curation.recipe import Recipe

TEXT = ("source", "refusal", "image_id", "sha256", "pixel_hash", "luma_hash", "duplicate_group", "split")
WHOLE = {"row": pl.UInt32, "perceptual_hash": pl.Int64, "width_px": pl.Int32, "height_px": pl.Int32, "size_bytes": pl.Int64}


def schema(columns):
    return {name: pl.String if name in TEXT else WHOLE.get(name, pl.Float32) for name in columns}


def found(*images):
    """Rows from a few facts each; what is not said differs from image to image."""
    rows = []
    for i, facts in enumerate(images):
        defaults = {
            "row": i,
            "source": f"{i}.jpg",
            "image_id": f"{i + 1:032x}",
            "sha256": f"s{i}",
            "width_px": 100,
            "height_px": 80,
        }
        defaults |= {"size_bytes": 1000, "perceptual_hash": 0xFFFF << (8 * i), "entropy_bits": 7.0}
        rows.append({name: (defaults | facts).get(name) for name in DECISION_COLUMNS})
    return pl.DataFrame(rows, schema=schema(DECISION_COLUMNS), orient="row")


def kept_before(*images):
    rows = [{name: facts.get(name) for name in HISTORY_COLUMNS} for facts in images]
    return pl.DataFrame(rows, schema=schema(HISTORY_COLUMNS), orient="row")


def outcomes(decisions):
    return decisions.frame.select("state", "reason", "duplicate_of").rows()


def test_each_occurrence_gets_one_state_in_the_order_of_the_rules():
    rows = found(
        {},
        {"refusal": "truncated", "width_px": None, "height_px": None, "perceptual_hash": None},
        {"width_px": 8},
        {"sha256": "s0", "image_id": f"{1:032x}"},
        {"width_px": 8, "sha256": "s2", "refusal": None},
    )
    decisions = decide(rows, kept_before(), Recipe())
    assert outcomes(decisions) == [
        ("kept", None, None),
        ("quarantined", "truncated", None),
        ("dropped", "too_small", None),
        ("duplicate", "exact_duplicate", f"{1:032x}"),
        ("dropped", "too_small", None),
    ]
    assert decisions.counts == {"kept": 1, "dropped": 2, "duplicate": 1, "quarantined": 1}


def test_an_image_of_exactly_the_smallest_side_is_kept():
    assert outcomes(decide(found({"width_px": 16}, {"height_px": 15}), kept_before(), Recipe())) == [
        ("kept", None, None),
        ("dropped", "too_small", None),
    ]


def test_filters_drop_outside_their_range_and_pass_the_unknown():
    rows = found({"sharpness_score": 5.0}, {"sharpness_score": 50.0}, {"sharpness_score": 500.0}, {"sharpness_score": None})
    recipe = Recipe.load({"filters": {"sharpness_score": {"at_least": 10, "at_most": 100}}})
    states = [(state, reason) for state, reason, _ in outcomes(decide(rows, kept_before(), recipe))]
    assert states == [("dropped", "low_sharpness_score"), ("kept", None), ("dropped", "high_sharpness_score"), ("kept", None)]


def test_exact_duplicates_are_all_kept_when_the_recipe_says_so_in_one_group_and_split():
    rows = found({"perceptual_hash": 3}, {"sha256": "s0", "image_id": f"{1:032x}", "perceptual_hash": 3})
    decisions = decide(rows, kept_before(), Recipe.load({"exact_duplicates": False}))
    assert decisions.counts["kept"] == 2
    assert decisions.frame["duplicate_group"].n_unique() == 1


def test_near_duplicates_are_kept_in_one_group_and_split():
    rows = found({"perceptual_hash": 0}, {"perceptual_hash": 0b11}, {"perceptual_hash": -1})
    frame = decide(rows, kept_before(), Recipe()).frame
    assert frame["state"].to_list() == ["kept"] * 3
    assert frame["duplicate_group"].to_list() == [f"{1:032x}", f"{1:032x}", f"{3:032x}"]
    assert frame["split"][0] == frame["split"][1]


def test_dropping_near_duplicates_keeps_the_best_of_each_group():
    rows = found({"perceptual_hash": 0}, {"perceptual_hash": 1, "width_px": 400}, {"perceptual_hash": 3, "size_bytes": 1})
    decisions = decide(rows, kept_before(), Recipe.load({"near_duplicates": {"action": "drop"}}))
    best = f"{2:032x}"
    assert outcomes(decisions) == [
        ("dropped", "near_duplicate", best),
        ("kept", None, None),
        ("dropped", "near_duplicate", best),
    ]


def test_dropping_near_duplicates_prefers_an_earlier_image():
    old = {"image_id": "a" * 32, "sha256": "old", "perceptual_hash": 1, "entropy_bits": 7.0, "duplicate_group": "a" * 32}
    recipe = Recipe.load({"near_duplicates": {"action": "drop"}})
    decisions = decide(found({"perceptual_hash": 0, "width_px": 4000}), kept_before(old | {"split": "test"}), recipe)
    assert outcomes(decisions) == [("dropped", "near_duplicate", "a" * 32)]


def test_flat_images_are_not_near_duplicates():
    flat = {"perceptual_hash": 5, "entropy_bits": 0.2}
    frame = decide(found(flat, flat, flat | {"entropy_bits": 6.0}), kept_before(), Recipe()).frame
    assert frame["duplicate_group"].n_unique() == 3


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_split_of_an_earlier_group_is_frozen(split):
    old = {"image_id": "a" * 32, "sha256": "old", "perceptual_hash": 0, "entropy_bits": 7.0, "duplicate_group": "b" * 32}
    decisions = decide(found({"perceptual_hash": 1}), kept_before(old | {"split": split}), Recipe())
    assert decisions.frame.select("duplicate_group", "split").rows() == [("b" * 32, split)]


def test_earlier_groups_that_a_new_image_bridges_are_told_and_stay():
    old = [
        {"image_id": x * 32, "sha256": x, "perceptual_hash": h, "entropy_bits": 7.0, "duplicate_group": x * 32, "split": s}
        for x, h, s in [("a", 0b1, "train"), ("b", 0b1111 << 1, "test")]
    ]
    decisions = decide(found({"perceptual_hash": 0b11}), kept_before(*old), Recipe())
    assert decisions.frame["split"].to_list() == ["train"]
    assert decisions.bridges.rows() == [(0, "a" * 32, "b" * 32, "train", "test")]
    left_out = decide(found({"perceptual_hash": 0b11}), kept_before(*old), Recipe(late_bridges="exclude_from_train"))
    assert outcomes(left_out) == [("dropped", "late_bridge", None)]
    assert left_out.bridges.rows() == decisions.bridges.rows()


def test_a_bridge_is_left_out_of_train_alone_and_bridges_within_a_split_are_none():
    def old(other):
        return [
            {"image_id": x * 32, "sha256": x, "perceptual_hash": h, "entropy_bits": 7.0, "duplicate_group": x * 32, "split": s}
            for x, h, s in [("a", 0b1, "test"), ("b", 0b1111 << 1, other)]
        ]

    rules = Recipe(late_bridges="exclude_from_train")
    rows = found({"perceptual_hash": 0b11}, {"perceptual_hash": 0b10000000011})
    in_test = decide(rows, kept_before(*old("train")), rules)
    assert in_test.frame["split"].to_list() == ["test", "test"]
    assert in_test.bridges["row"].to_list() == [0, 1]
    assert decide(rows, kept_before(*old("test")), rules).bridges.is_empty()


def test_new_look_alikes_that_their_keys_bind_to_different_splits_are_told():
    old = [
        {"image_id": x * 32, "sha256": x, "perceptual_hash": h, "entropy_bits": 7.0, "duplicate_group": x * 32, "split": s}
        for x, h, s in [("a", 0x5555555555555555, "train"), ("b", 0x3333333333333333, "test")]
    ]
    history = kept_before(*old).with_columns(split_key=pl.Series(["one", "two"]))
    rows = found({"perceptual_hash": 0b1}, {"perceptual_hash": 0b11}).with_columns(split_key=pl.Series(["one", "two"]))
    decisions = decide(rows, history, Recipe(group_by="patient"))
    assert decisions.frame["split"].to_list() == ["train", "test"]
    group = f"{1:032x}"
    assert decisions.bridges.rows() == [(0, group, group, "train", "test"), (1, group, group, "test", "train")]


def test_of_equal_size_and_bytes_the_smallest_id_is_kept_whatever_the_names():
    rows = found(
        {"perceptual_hash": 0b1, "image_id": "b" * 32, "source": "a.jpg"},
        {"perceptual_hash": 0b11, "image_id": "a" * 32, "source": "b.jpg"},
    )
    kept = decide(rows, kept_before(), Recipe.load({"near_duplicates": {"action": "drop"}}))
    assert outcomes(kept) == [("dropped", "near_duplicate", "a" * 32), ("kept", None, None)]


def test_nothing_found_is_decided_too():
    assert decide(found(), kept_before(), Recipe()).counts == {"kept": 0, "dropped": 0, "duplicate": 0, "quarantined": 0}


def test_images_of_odd_size_are_dropped_if_the_recipe_says_so_measured_by_what_was_kept_before():
    sizes = [{"width_px": 100 + number, "height_px": 100, "perceptual_hash": None} for number in range(8)]
    blank = {"perceptual_hash": None}
    refused = blank | {"refusal": "truncated", "width_px": None, "height_px": None}
    rows = found(*sizes, blank | {"width_px": 900, "height_px": 900}, refused)
    assert decide(rows, kept_before(), Recipe()).counts["dropped"] == 0
    decisions = decide(rows, kept_before(), Recipe(odd_sizes="drop"))
    assert outcomes(decisions)[8] == ("dropped", "odd_size", None)
    assert decisions.counts == {"kept": 8, "dropped": 1, "duplicate": 0, "quarantined": 1}
    wide = [{"image_id": f"a{number}", "width_px": 900 + number, "height_px": 900, "split": "train"} for number in range(20)]
    later = decide(rows, kept_before(*wide), Recipe(odd_sizes="drop"))
    assert outcomes(later)[8] == ("kept", None, None)
    assert decide(found(), kept_before(), Recipe(odd_sizes="drop")).counts["kept"] == 0
