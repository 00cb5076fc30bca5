"""The benchmarks run, on little, as everything else does."""

from __future__ import annotations

from pathlib import Path

from benchmarks import near_duplicates
from benchmarks.__main__ import run


def test_every_contestant_gives_a_rate_and_every_ratio_is_one_of_its_own_run(tmp_path: Path) -> None:
    result = run(image_count=24, rounds=1, folder=tmp_path)
    medians, ratios = result["median_images_per_s"], result["ratios"]
    assert isinstance(medians, dict)
    assert isinstance(ratios, dict)
    assert len(medians) == 7
    assert min(medians.values()) > 0
    assert ratios["examine over strict decode"] == medians["examine"] / medians["decode, strict, scaled (ceiling)"]


def test_the_truth_set_of_near_duplicates_finds_re_encoded_copies_and_mirrors_only_if_asked() -> None:
    result = near_duplicates.run(Path(__file__).resolve().parents[2] / "sample_data" / "photos", count=4)
    assert result["image_count"] == 4 * 23
    plain, turned = (result["results"][name]["at"][0] for name in ("Tonnage", "Tonnage, all transforms"))
    assert plain["distance"] == 4
    assert plain["recall_by_kind"]["re-encode and resize"] == 1
    assert plain["recall_by_kind"]["mirrors"] == plain["recall_by_kind"]["turns"] == 0
    assert turned["recall_by_kind"]["mirrors"] == turned["recall_by_kind"]["turns"] == 1
    assert turned["pairs"]["f1"] > plain["pairs"]["f1"]
