"""``make bench-growth``: whether an image takes as long among 50,000 as among 5,000.

The corpus of ``benchmarks.corpus`` at three sizes, in the page cache; a round curates each once, in turns, on workers that run
already. The smallest, and what its steady state leaves over, tells what a batch costs however small, which is taken off: time
per image is what grows, or does not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.corpus import make_corpus
from benchmarks.curate import curated
from toolkit.engine import engine
from toolkit.measurement.environment import environment_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIZES = (1_000, 5_000, 50_000)


def run(sizes: Sequence[int], rounds: int, folder: Path) -> dict[str, object]:
    """Return the seconds of each size in each round, and the seconds per image that follow."""
    for size in sizes:
        make_corpus(folder / str(size), size)
    for path in folder.rglob("*.*"):  # what was made in an earlier run may have left the page cache since
        if path.is_file():
            path.read_bytes()
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    with engine(None) as running:  # starting workers takes 1 to 4 s, as it happens: more than is to be told

        def taken_s(size: int) -> float:
            with tempfile.TemporaryDirectory(dir=folder) as work:
                return curated(folder / str(size), Path(work), running.client)

        taken_s(sizes[0])  # workers import what they need
        for turn in range(rounds):
            for size in (*sizes[turn % len(sizes) :], *sizes[: turn % len(sizes)]):
                seconds[size].append(taken_s(size))
    per_image_s = [per_image(dict(zip(seconds, taken, strict=True))) for taken in zip(*seconds.values(), strict=True)]
    middle, largest = sizes[1:]
    growth = [found[largest] / found[middle] for found in per_image_s]
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "elapsed_s": {str(size): taken for size, taken in seconds.items()},
        "per_image_s": {str(size): [found[size] for found in per_image_s] for size in sizes[1:]},
        "growth": {"median": statistics.median(growth), "low": min(growth), "high": max(growth)},
        "environment": dict(environment_of(folder).facts),
    }


def per_image(elapsed_s: Mapping[int, float]) -> dict[int, float]:
    """Return seconds per image at the middle and the largest size, without the cost of starting."""
    small, middle, largest = elapsed_s
    fixed_s = elapsed_s[small] - small * (elapsed_s[middle] - elapsed_s[small]) / (middle - small)
    return {size: (elapsed_s[size] - fixed_s) / size for size in (middle, largest)}


def main() -> None:
    """Measure, write the JSON and print what it says."""
    parser = argparse.ArgumentParser(description="Time per image while a corpus grows.")
    parser.add_argument("--sizes", type=int, nargs=3, default=list(SIZES), metavar=("SMALL", "MIDDLE", "LARGE"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the images are kept for the next run; by default they are removed")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "curate_growth.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        result = run(arguments.sizes, arguments.rounds, arguments.folder or Path(temporary))
    arguments.out.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    for size, values in result["per_image_s"].items():  # type: ignore[attr-defined]  # a dict, as run() makes it
        print(f"{int(size):>9,} images: {1_000 * statistics.median(values):.2f} ms each")
    spread = result["growth"]
    print("growth of the time per image: {median:.2f} ({low:.2f} to {high:.2f})".format(**spread))  # type: ignore[arg-type]  # as above
    print(arguments.out)


if __name__ == "__main__":
    main()
