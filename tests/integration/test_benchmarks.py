"""The benchmarks run, on little, as everything else does."""

from __future__ import annotations

from pathlib import Path

from benchmarks.__main__ import run


def test_every_contestant_gives_a_rate_and_every_ratio_is_one_of_its_own_run(tmp_path: Path) -> None:
    result = run(image_count=24, rounds=1, folder=tmp_path)
    medians, ratios = result["median_images_per_s"], result["ratios"]
    assert isinstance(medians, dict)
    assert isinstance(ratios, dict)
    assert len(medians) == 7
    assert min(medians.values()) > 0
    assert ratios["examine over strict decode"] == medians["examine"] / medians["decode, strict, scaled (ceiling)"]
