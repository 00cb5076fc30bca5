"""``make bench-memory``: the peak memory of a curation while its images grow tenfold, of the driver and of each worker.

Small images, so that it is their number that counts: what is held per image, not per byte, is what would grow.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
import simplejpeg

from toolkit.engine import core_count
from toolkit.measurement.environment import environment_of

SIDE_PX = 48
EVERY_S = 0.2
_FOLDER_IMAGES = 10_000

_CURATE = "import sys, toolkit; print(len(toolkit.curate([sys.argv[1]], sys.argv[2])))"


def write_small_images(folder: Path, image_count: int) -> None:
    """Write distinct JPEGs of a smooth random pattern, 48 px wide, in folders of ten thousand."""

    def write(start: int) -> None:
        target = folder / f"{start // _FOLDER_IMAGES:04d}"
        target.mkdir(parents=True, exist_ok=True)
        for number in range(start, min(start + _FOLDER_IMAGES, image_count)):
            coarse = np.random.default_rng([3, number]).integers(0, 256, (6, 6, 3), dtype=np.uint8)
            pixels = np.ascontiguousarray(coarse.repeat(SIDE_PX // 6, axis=0).repeat(SIDE_PX // 6, axis=1))
            (target / f"{number:07d}.jpg").write_bytes(simplejpeg.encode_jpeg(pixels, quality=85))

    with ThreadPoolExecutor(core_count()) as pool:
        list(pool.map(write, range(0, image_count, _FOLDER_IMAGES)))


def peaks_of(source: Path, dataset: Path) -> dict[str, float]:
    """Curate in a process of its own; return its seconds and the peak resident bytes of its driver and of any worker."""
    started_s = time.perf_counter()
    run = subprocess.Popen([sys.executable, "-c", _CURATE, str(source), str(dataset)], stdout=subprocess.PIPE, text=True)
    peaks = {"driver_bytes": 0, "worker_bytes": 0, "all_bytes": 0}
    watching = threading.Thread(target=_watch, args=(psutil.Process(run.pid), peaks), daemon=True)
    watching.start()
    kept, _ = run.communicate()
    watching.join()
    if run.returncode:
        raise SystemExit(f"the curation of '{source}' failed")
    return peaks | {"elapsed_s": time.perf_counter() - started_s, "kept_count": int(kept)}


def _watch(driver: psutil.Process, peaks: dict[str, int]) -> None:
    while True:
        try:
            own_bytes = driver.memory_info().rss
            others = [_resident(each) for each in driver.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        if driver.status() == psutil.STATUS_ZOMBIE:
            return
        peaks["driver_bytes"] = max(peaks["driver_bytes"], own_bytes)
        peaks["worker_bytes"] = max([peaks["worker_bytes"], *others])
        peaks["all_bytes"] = max(peaks["all_bytes"], own_bytes + sum(others))
        time.sleep(EVERY_S)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def main() -> None:
    """Measure, write the JSON and print the table."""
    parser = argparse.ArgumentParser(description="Peak memory of a curation as its images grow.")
    parser.add_argument("--images", type=int, nargs="+", default=[30_000, 300_000])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "curate_memory.json")
    arguments = parser.parse_args()
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for count in arguments.images:
            source, dataset = Path(folder) / f"raw{count}", Path(folder) / "dataset"
            write_small_images(source, count)
            runs.append({"image_count": count, **peaks_of(source, dataset)})
            shutil.rmtree(dataset)
            shutil.rmtree(source)
            print({name: round(value, 1) for name, value in runs[-1].items()}, flush=True)
    result = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": runs,
        "growth": {name: runs[-1][name] / runs[0][name] for name in ("image_count", "driver_bytes", "worker_bytes", "all_bytes")},
        "environment": dict(environment_of(Path.cwd()).facts),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    print(result["growth"])


if __name__ == "__main__":
    main()
