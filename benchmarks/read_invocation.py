"""One contestant in one fresh process: its ways one after the other, in random order, each timed; a line of JSON each.

python -m benchmarks.read_invocation CONTESTANT GROUP FOLDER SEED

Cold, a process runs one way alone: what a library keeps mapped cannot be taken out of the page cache.
"""

from __future__ import annotations

import json
import random
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import read_ceilings
from benchmarks.read_contestants import CONTESTANTS
from toolkit.measurement.caches import device_read_bytes, evict, make_resident

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.read_contestants import Ways

LEAST_S = 0.5
RANDOM_IMAGES = 4_000
DECODED_IMAGES = 2_000
STARTS = {"warm": ("sequential", "shuffled"), "cold": ("sequential", "shuffled"), "random": ("random",), "decoded": ("decoded",)}
COLD_WAYS = ("views, unchecked", "bytes, sha256")
"""Of Tonnage: the least and the most that it does; what checks cost is seen warm."""


def touched(payload: Any) -> int:
    """Read each byte of an image but up to seven at its ends: eight at a time, from where NumPy takes eight at once."""
    image = np.frombuffer(payload, dtype=np.uint8)
    head = -image.__array_interface__["data"][0] % 8
    words = (image.size - head) // 8
    return int(image[head : head + 8 * words].view(np.uint64).sum())


def drive(images: Iterable[Any], *, touch: bool) -> tuple[int, int]:
    """Take all that a way gives; return images and bytes."""
    count = size_bytes = 0
    for payload in images:
        count += 1
        size_bytes += len(payload)
        if touch:
            touched(payload)
    return count, size_bytes


def decoded(images: Iterable[Any]) -> tuple[int, int]:
    """Take decoded batches until there are enough; return images, and nothing as their encoded bytes."""
    count = 0
    for batch in images:
        count += len(batch)
        if count >= DECODED_IMAGES:
            break
    return count, 0


def timed(way: Callable[[], Iterable[Any]], group: str) -> dict[str, float]:
    """Return the rates of one way: warm ones are repeated until they took long enough to be told."""
    started_s, before = time.perf_counter(), device_read_bytes()
    count = size_bytes = 0
    while True:
        more = decoded(way()) if group == "decoded" else drive(way(), touch=group != "random")
        count, size_bytes = count + more[0], size_bytes + more[1]
        elapsed_s = time.perf_counter() - started_s
        if group in {"cold", "decoded"} or elapsed_s >= LEAST_S:
            break
    from_device = (device_read_bytes() or 0) - (before or 0)
    facts = {"images_per_s": count / elapsed_s, "bytes_per_s": size_bytes / elapsed_s}
    return facts | ({"device_share": from_device / size_bytes} if size_bytes else {})


def ways_of(contestant: str, group: str, folder: Path, seed: int) -> Ways:
    """Return the ways of a contestant that take part in a group."""
    image_count = len(list((folder / "corpus").rglob("*.jpg")))
    indices = random.Random(seed).sample(range(image_count), min(RANDOM_IMAGES, image_count))
    found = CONTESTANTS[contestant](folder, seed, indices)
    chosen = {name: way for name, way in found.items() if name.startswith(STARTS[group])}
    if group == "cold" and contestant == "tonnage":
        chosen = {name: way for name, way in chosen.items() if name.endswith(COLD_WAYS)}
    return chosen


def ceilings_of(group: str, folder: Path, seed: int) -> dict[str, Callable[[], dict[str, float]]]:
    """Return the ceilings of a group."""
    shards = sorted((folder / "tonnage" / "images").glob("*.parquet"))

    def rate(work: Callable[[], int]) -> dict[str, float]:
        started_s = time.perf_counter()
        total = work()
        while group != "cold" and time.perf_counter() - started_s < LEAST_S / 2:
            total += work()
        return {"bytes_per_s": total / (time.perf_counter() - started_s)}

    if group == "warm":
        work: dict[str, Callable[[], int]] = {
            "mapped bytes summed by NumPy": lambda: read_ceilings.mapped_sum(shards),
            "page cache read": lambda: read_ceilings.read_through(shards),
            "CRC-32, one thread": lambda: read_ceilings.checked(shards, read_ceilings.crc32),
            "sha256, one thread": lambda: read_ceilings.checked(shards, read_ceilings.sha256),
        }
    elif group == "cold":
        work = {
            f"device, {size >> 20} MiB, {depth} in flight": lambda size=size, depth=depth: read_ceilings.read_direct(
                shards, size, depth
            )
            for size, depth in read_ceilings.DEVICE_SWEEP
        }
    elif group == "random":
        places = _places(folder, seed)
        work = {
            "pread, unchecked": lambda: read_ceilings.read_at(places, check=False),
            "pread, sha256": lambda: read_ceilings.read_at(places, check=True),
        }
    else:
        paths = sorted((folder / "corpus").rglob("*.jpg"))[:DECODED_IMAGES]
        payloads = [path.read_bytes() for path in paths]
        return {
            name: lambda decode=decode: {"images_per_s": len(payloads) / read_ceilings.decode_all(payloads, decode)}
            for name, decode in read_ceilings.decoders().items()
        }
    return {name: lambda task=task: rate(task) for name, task in work.items()}


def _places(folder: Path, seed: int) -> list[tuple[Path, int, int]]:
    """Return where images lie that are asked for by index: those that contestants are asked for, in the same order."""
    import toolkit

    dataset = toolkit.open_dataset(folder / "tonnage")
    places = []
    for index in random.Random(seed).sample(range(len(dataset)), min(RANDOM_IMAGES, len(dataset))):
        shard, group, row = dataset._place(index)
        extents = dataset._extents(shard, group)
        places.append((dataset._shard(shard).path, extents.offset_bytes[row], extents.size_bytes[row]))
    return places


def files_of(contestant: str, folder: Path) -> list[Path]:
    """Return the files that a contestant reads."""
    name = "tonnage" if contestant == "ceilings" else contestant
    return [path for path in (folder / name).rglob("*") if path.is_file()]


def main() -> None:
    """Run what is asked for, and say what came out, a line each."""
    warnings.simplefilter("ignore")
    contestant, group, place, seed = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    files = files_of(contestant, place)
    if group == "cold":
        evict(files)
    if contestant == "ceilings":
        tasks = ceilings_of(group, place, seed)
    else:
        ways = ways_of(contestant, group, place, seed)
        tasks = {name: lambda way=way: timed(way, group) for name, way in ways.items()}
    if group != "cold":
        for path in files:
            make_resident(path)
    names = random.Random(seed).sample(sorted(tasks), len(tasks))
    if group == "cold" and contestant != "ceilings":
        names = sorted(tasks)[seed % len(tasks) :][:1]
    for name in names:
        if group == "cold":
            evict(files)
        print(json.dumps({"contestant": contestant, "way": name} | tasks[name]()), flush=True)


if __name__ == "__main__":
    main()
