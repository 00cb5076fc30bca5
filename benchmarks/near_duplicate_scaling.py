"""How the search for near duplicates grows: seconds and peak memory from 1e5 to 1e7 hashes, and the exponent of the growth.

``python -m benchmarks.near_duplicate_scaling`` runs each size in a process of its own, sizes interleaved over the repeats, and
writes benchmarks/results/near_duplicate_scaling.json. The hashes are skewed as real ones are: one in ten is within three bits
of another, one in a hundred belongs to a crowd of up to a thousand that lie around one hash. Beside the search within one
batch, the search of a batch against a history of ten times its size is timed (``--history`` alone: of that only).
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from toolkit.curation.earlier import Labelled, near_labels
from toolkit.curation.neighbours import near_edges
from toolkit.measurement.environment import environment_of

RESULTS = Path(__file__).parent / "results"
SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
HISTORY_SIZES = (100_000, 300_000, 1_000_000)
REPEATS = 3
DISTANCES = (4, 6)


def skewed_hashes(count: int, seed: int = 1) -> np.ndarray:
    """Return distinct 64-bit hashes with near copies and crowds."""
    rng = np.random.default_rng(seed)
    copies, crowded = count // 10, count // 100
    base = rng.integers(0, 2**64, count - copies - crowded, dtype=np.uint64)
    near = flipped(base[rng.integers(0, len(base), copies)], 3, rng)
    centres = base[rng.integers(0, len(base), max(1, crowded // 1_000))]
    crowd = flipped(centres[rng.integers(0, len(centres), crowded)], 4, rng)
    return np.unique(np.concatenate([base, near, crowd]))


def flipped(hashes: np.ndarray, bit_count: int, rng: np.random.Generator) -> np.ndarray:
    """Return hashes with up to so many random bits turned."""
    mask = np.zeros(len(hashes), dtype=np.uint64)
    for _ in range(bit_count):
        mask |= np.uint64(1) << rng.integers(0, 64, len(hashes), dtype=np.uint64)
    return hashes ^ mask


def measured(count: int, distance: int) -> dict[str, float]:
    """Return what one search takes, in this process."""
    hashes = skewed_hashes(count)
    before_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    started_s, cpu_s = time.perf_counter(), time.process_time()
    left, _ = near_edges(hashes, distance)
    return {
        "hash_count": len(hashes),
        "edge_count": len(left),
        "elapsed_s": time.perf_counter() - started_s,
        "cpu_s": time.process_time() - cpu_s,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "peak_before_bytes": before_bytes,
    }


def measured_against_history(count: int, distance: int) -> dict[str, float]:
    """Return what the search of a batch of a tenth of so many hashes against the rest takes, in this process."""
    hashes = skewed_hashes(count)
    is_new = np.random.default_rng(2).random(len(hashes)) < 0.1
    new, old = (Labelled(hashes=part, labels=np.arange(len(part))) for part in (hashes[is_new], hashes[~is_new]))
    before_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    started_s, cpu_s = time.perf_counter(), time.process_time()
    own, _, _ = near_labels(new, old, distance)
    return {
        "hash_count": len(old.hashes),
        "new_hash_count": len(new.hashes),
        "pair_count": len(own),
        "elapsed_s": time.perf_counter() - started_s,
        "cpu_s": time.process_time() - cpu_s,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "peak_before_bytes": before_bytes,
    }


def exponent(rows: list[dict[str, float]], key: str) -> dict[str, float]:
    """Return the slope of the logarithm of a cost over that of the count, with a 95 % bootstrap interval, and 1e8 by it."""
    x, y = (np.log([row[name] for row in rows]) for name in ("hash_count", key))
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(2_000):
        at = rng.integers(0, len(x), len(x))
        if np.ptp(x[at]) > 0:
            draws.append(np.polyfit(x[at], y[at], 1))
    slopes, at_1e8 = np.array([d[0] for d in draws]), np.exp([np.polyval(d, np.log(1e8)) for d in draws])
    return {
        "exponent": float(np.polyfit(x, y, 1)[0]),
        "exponent_low": float(np.quantile(slopes, 0.025)),
        "exponent_high": float(np.quantile(slopes, 0.975)),
        "at_1e8_s_low": float(np.quantile(at_1e8, 0.025)),
        "at_1e8_s_high": float(np.quantile(at_1e8, 0.975)),
    }


def against_history(sizes: tuple[int, ...] = HISTORY_SIZES, repeats: int = REPEATS) -> dict[str, object]:
    """Measure the search of a batch against a history at all sizes and return the result."""
    rows = [_in_process(count, DISTANCES[0], "--history") for _ in range(repeats) for count in sizes]
    return {
        "what": "toolkit.curation.earlier.near_labels, a batch of a tenth of the hashes against the rest, 2 threads, 1 GiB",
        "rows": rows,
        "wall": exponent(rows, "elapsed_s"),
        "cpu": exponent(rows, "cpu_s"),
    }


def _in_process(count: int, distance: int, *options: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.near_duplicate_scaling", str(count), str(distance), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    row = {"distance": distance, **json.loads(done.stdout)}
    print({name: round(value, 3) for name, value in row.items()}, file=sys.stderr)
    return row


def main(sizes: tuple[int, ...] = SIZES, repeats: int = REPEATS) -> dict[str, object]:
    """Measure all sizes and return the result."""
    rows = [
        _in_process(count, distance)
        for repeat in range(repeats)
        for distance in DISTANCES[: 2 if repeat == 0 else 1]
        for count in sizes
    ]
    default = [row for row in rows if row["distance"] == DISTANCES[0]]
    return {
        "what": "toolkit.curation.neighbours.near_edges over skewed hashes, 2 threads, 1 GiB",
        "environment": dict(environment_of(Path.cwd()).facts),
        "rows": rows,
        "wall": exponent(default, "elapsed_s"),
        "cpu": exponent(default, "cpu_s"),
        "against_history": against_history(),
    }


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    if numbers:
        print(json.dumps((measured_against_history if "--history" in sys.argv else measured)(*numbers)))
    elif "--history" in sys.argv:
        path = RESULTS / "near_duplicate_scaling.json"
        found = json.loads(path.read_text()) | {"against_history": against_history()}
        path.write_text(json.dumps(found, indent=1) + "\n")
    else:
        RESULTS.mkdir(exist_ok=True)
        found = main()
        (RESULTS / "near_duplicate_scaling.json").write_text(json.dumps(found, indent=1) + "\n")
        print(json.dumps({name: found[name] for name in ("wall", "cpu")}, indent=1))
