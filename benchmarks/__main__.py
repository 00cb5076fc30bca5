"""Curation and reading beside their ceilings and beside plain Pillow, interleaved, several rounds; results as JSON.

python -m benchmarks [--images 2000] [--rounds 5] [--out benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import simplejpeg
from PIL import Image

import toolkit
from benchmarks.corpus import make_corpus
from toolkit.curation.examine import examine
from toolkit.dataset.shards import iter_row_groups
from toolkit.engine import core_count
from toolkit.measurement.environment import environment_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.dataset.reading import Dataset


def on_all_cores(task: Callable[[Path], object], files: list[Path]) -> None:
    with ThreadPoolExecutor(core_count()) as pool:
        for _ in pool.map(task, files, chunksize=16):
            pass


def strict_decode(path: Path) -> object:
    return simplejpeg.decode_jpeg(path.read_bytes(), colorspace="GRAY", min_height=128, min_width=128, strict=True)


def pillow_decode(path: Path) -> object:
    with Image.open(path) as image:
        return image.load()


def examined(path: Path) -> object:
    return examine(path.read_bytes(), name=path.name)


def curated(source: Path, folder: Path) -> float:
    """Curate into a new dataset; return the seconds inside the run, without starting Dask."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        return float(toolkit.curate([source], Path(place) / "dataset").profile.curation["elapsed_s"])


def mapped_sum(dataset: Dataset) -> int:
    total = 0
    for path in dataset.shard_paths():
        with pa.memory_map(str(path)) as mapped:
            total += int(np.frombuffer(mapped.read_buffer(), dtype=np.uint8).sum(dtype=np.uint64))
    return total


def shard_scan(dataset: Dataset) -> int:
    total = 0
    for path in dataset.shard_paths():
        for table in iter_row_groups(path, ["image"]):
            for chunk in table["image"].chunks:
                total += int(np.frombuffer(chunk.field("bytes").buffers()[2], dtype=np.uint8).sum(dtype=np.uint64))
    return total


def loader_bytes(dataset: Dataset) -> int:
    return sum(len(batch) for batch in dataset.loader(decode=False, shuffle=False))


def timed(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def run(image_count: int, rounds: int, folder: Path) -> dict[str, object]:
    """Return the rates of every contestant, each round's and their medians, and the ratios that matter."""
    source = folder / "corpus"
    size_bytes = make_corpus(source, image_count, others=False)
    files = sorted(source.rglob("*.jpg"))
    dataset = toolkit.curate([source], folder / "dataset")
    contestants: dict[str, Callable[[], float]] = {
        "decode, strict, scaled (ceiling)": lambda: timed(lambda: on_all_cores(strict_decode, files)),
        "decode, Pillow": lambda: timed(lambda: on_all_cores(pillow_decode, files)),
        "examine": lambda: timed(lambda: on_all_cores(examined, files)),
        "curate": lambda: curated(source, folder),
        "read, mapped sum (ceiling)": lambda: timed(lambda: mapped_sum(dataset)),
        "read, shards, each byte touched": lambda: timed(lambda: shard_scan(dataset)),
        "read, loader, encoded, checked": lambda: timed(lambda: loader_bytes(dataset)),
    }
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            rates[name].append(image_count / contestant())
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ceiling, mapped = medians["decode, strict, scaled (ceiling)"], medians["read, mapped sum (ceiling)"]
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "image_count": image_count,
        "image_bytes": size_bytes,
        "rounds": rounds,
        "rates_images_per_s": rates,
        "median_images_per_s": medians,
        "ratios": {
            "examine over strict decode": medians["examine"] / ceiling,
            "curate over strict decode": medians["curate"] / ceiling,
            "curate over Pillow decode alone": medians["curate"] / medians["decode, Pillow"],
            "shard scan over mapped sum": medians["read, shards, each byte touched"] / mapped,
        },
        "environment": dict(environment_of(folder).facts),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure Tonnage beside its ceilings.")
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(arguments.images, arguments.rounds, Path(folder))
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "curate_and_read.json"
    path.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    for name, rate in result["median_images_per_s"].items():  # type: ignore[attr-defined]  # a dict, as run() makes it
        print(f"{name:40} {rate:12,.0f} images/s")
    for name, ratio in result["ratios"].items():  # type: ignore[attr-defined]  # a dict, as run() makes it
        print(f"{name:40} {ratio:12.2f}")
    print(path)


if __name__ == "__main__":
    main()
