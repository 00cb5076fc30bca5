"""``make bench-curate``: curation beside this machine's strict-decode ceiling and beside what peers do, in one interleaved run.

The corpus is that of ``benchmarks.corpus`` (JPEG of about 106 kB, one image in eleven PNG, WebP, TIFF or BMP), in the page cache.
Each contestant runs once a round, in an order that turns; rates are images per second inside the run. Curation is taken at
two sizes: the difference is its steady state, the rest its fixed cost. Peers keep the original bytes and do less: they
decode to check, hash, and write; none scores, hashes for look-alikes, quarantines, splits or commits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg
import webdataset
from PIL import Image

import toolkit
from benchmarks.corpus import make_corpus
from benchmarks.curate_budget import CEILING_PX, budget_ms
from toolkit.curation.examine import examine
from toolkit.engine import core_count
from toolkit.measurement.environment import environment_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.engine import Scheduler

SHARD_IMAGES = 1_000
BUDGET_IMAGES = 300


def strictly_decoded(path: Path) -> None:
    """Decode by the fastest way that runs the whole entropy decode and refuses damage: the ceiling."""
    payload = path.read_bytes()
    if path.suffix == ".jpg":
        simplejpeg.decode_jpeg(payload, colorspace="GRAY", min_height=CEILING_PX, min_width=CEILING_PX, strict=True)
    else:
        pillow_checked(path)


def pillow_checked(path: Path) -> tuple[bytes, str]:
    """Return bytes and hash of an image that Pillow loads."""
    payload = path.read_bytes()
    with Image.open(path) as image:
        image.load()
    return payload, hashlib.sha256(payload).hexdigest()


def examined(path: Path) -> None:
    """Run all that curation does to the bytes of one image."""
    examine(path.read_bytes(), name=path.name)


def on_all_cores(work: Callable[[Path], object], files: Sequence[Path]) -> None:
    """Run work over files by threads: decoders release the interpreter's lock."""
    with ThreadPoolExecutor(core_count()) as pool:
        for _ in pool.map(work, files, chunksize=16):
            pass


def parquet_shard(task: tuple[list[Path], Path]) -> int:
    """Write checked images to a plain Parquet file: what a careful person writes by hand."""
    files, target = task
    rows = [pillow_checked(path) for path in files]
    pq.write_table(pa.table({"bytes": [row[0] for row in rows], "sha256": [row[1] for row in rows]}), target, compression="none")
    return len(rows)


def webdataset_shard(task: tuple[list[Path], Path]) -> int:
    """Write checked images to a tar with webdataset's own writer."""
    files, target = task
    with webdataset.TarWriter(str(target)) as writer:
        for path in files:
            payload, digest = pillow_checked(path)
            writer.write({"__key__": path.stem, path.suffix[1:]: payload, "json": {"sha256": digest}})
    return len(files)


def by_processes(shard: Callable[[tuple[list[Path], Path]], int], files: list[Path], folder: Path, suffix: str) -> None:
    """Run a peer's way of writing shards on all cores."""
    tasks = [(files[at : at + SHARD_IMAGES], folder / f"{at:06d}.{suffix}") for at in range(0, len(files), SHARD_IMAGES)]
    with ProcessPoolExecutor(core_count(), mp_context=get_context("fork")) as pool:
        assert sum(pool.map(shard, tasks)) == len(files)


def curated(source: Path, folder: Path, scheduler: Scheduler | None = None) -> float:
    """Curate into a new dataset and return the seconds inside the run, without starting Dask."""
    dataset = toolkit.curate([source], folder / "dataset", scheduler=scheduler)
    return float(dataset.profile.curation["elapsed_s"])


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def run(small_count: int, large_count: int, rounds: int, folder: Path) -> dict[str, object]:
    """Return the rates of each contestant in each round, and what follows from them."""
    small, large = folder / "small", folder / "large"
    make_corpus(small, small_count)
    size_bytes = make_corpus(large, large_count)
    files = sorted(path for path in large.rglob("*") if path.is_file())
    jpegs = sorted((folder / "jpegs").rglob("*.jpg")) if make_corpus(folder / "jpegs", BUDGET_IMAGES, others=False) else []
    work = folder / "work"
    contestants: dict[str, tuple[int, Callable[[], float]]] = {
        "strict decode, all cores (ceiling)": (large_count, lambda: timed(lambda: on_all_cores(strictly_decoded, files))),
        "Pillow decode, all cores": (large_count, lambda: timed(lambda: on_all_cores(pillow_checked, files))),
        "examine, all cores": (large_count, lambda: timed(lambda: on_all_cores(examined, files))),
        "processes, Pillow, Parquet": (large_count, lambda: timed(lambda: by_processes(parquet_shard, files, work, "parquet"))),
        "processes, Pillow, webdataset": (large_count, lambda: timed(lambda: by_processes(webdataset_shard, files, work, "tar"))),
        "curate, small": (small_count, lambda: curated(small, work)),
        "curate, large": (large_count, lambda: curated(large, work)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds):
        names = list(contestants)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            work.mkdir()
            seconds[name].append(contestants[name][1]())
            shutil.rmtree(work)
    rates = {name: [contestants[name][0] / second for second in values] for name, values in seconds.items()}
    steady = [
        (large_count - small_count) / (one - other)
        for one, other in zip(seconds["curate, large"], seconds["curate, small"], strict=True)
    ]
    rates["curate, steady state"] = steady
    fixed_s = [small - small_count / rate for small, rate in zip(seconds["curate, small"], steady, strict=True)]
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "image_count": large_count,
        "small_image_count": small_count,
        "image_bytes": size_bytes,
        "rounds": rounds,
        "rates_images_per_s": rates,
        "median_images_per_s": {name: statistics.median(values) for name, values in rates.items()},
        "fixed_cost_s": statistics.median(fixed_s),
        "budget_ms_per_jpeg": budget_ms(jpegs),
        "ratios": {
            f"{name} over the ceiling": ratio(rates[name], rates["strict decode, all cores (ceiling)"])
            for name in ("examine, all cores", "curate, steady state", "curate, large", "processes, Pillow, Parquet",
                         "processes, Pillow, webdataset")
        },
        "environment": dict(environment_of(folder).facts),
    }  # fmt: skip


def ratio(rates: Sequence[float], ceilings: Sequence[float]) -> dict[str, float]:
    """Return the median of the rounds' ratios, and their range."""
    ratios = [rate / ceiling for rate, ceiling in zip(rates, ceilings, strict=True)]
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def main() -> None:
    """Measure, write the JSON and print the table."""
    parser = argparse.ArgumentParser(description="Curation beside its ceiling and its peers.")
    parser.add_argument("--images", type=int, default=5_500)
    parser.add_argument("--small", type=int, default=1_100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "curate.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(arguments.small, arguments.images, arguments.rounds, Path(folder))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    for name, rate in result["median_images_per_s"].items():  # type: ignore[attr-defined]  # a dict, as run() makes it
        print(f"{name:44} {rate:10,.0f} images/s")
    for name, spread in result["ratios"].items():  # type: ignore[attr-defined]  # a dict, as run() makes it
        print(f"{name:58} {spread['median']:.2f} ({spread['low']:.2f} to {spread['high']:.2f})")
    for name, step_ms in result["budget_ms_per_jpeg"].items():  # type: ignore[attr-defined]  # a dict, as run() makes it
        print(f"  {name:42} {step_ms:10.3f} ms a JPEG on one core")
    print(f"{'fixed cost of a curation':44} {result['fixed_cost_s']:10.1f} s")
    print(arguments.out)


if __name__ == "__main__":
    main()
