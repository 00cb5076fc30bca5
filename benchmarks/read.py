"""``make bench-read``: reading and loading beside webdataset, MosaicML Streaming, LitData, Hugging Face datasets, and ceilings.

The same JPEG photographs (``benchmarks.corpus``) lie in each library's own format. A round runs every contestant once, in
random order, each in a fresh process, and the ceilings among them; rates are medians over the rounds with 95 % intervals,
ratios are taken round by round. Encoded images are all driven by one loop that touches each byte.

python -m benchmarks.read [--groups warm cold random decoded] [--rounds 6] [--images 5000] [--folder KEPT] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import toolkit
from benchmarks.corpus import make_corpus
from benchmarks.read_contestants import CONTESTANTS
from benchmarks.read_formats import WRITERS
from toolkit.measurement.environment import environment_of
from toolkit.measurement.statistics import median_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 120
COLD_WAYS = 2
"""Cold, a process runs one way, and most contestants have two (in order and shuffled): each round takes them all."""
BASES = {
    "warm": ("mapped bytes summed by NumPy", "CRC-32, one thread"),
    "cold": ("device",),
    "random": ("pread, unchecked", "pread, sha256"),
    "decoded": ("simplejpeg", "decoder of the loader"),
}
"""What a group's rates are divided by: the best, in each round, of the ceilings whose names begin so."""


def prepare(folder: Path, image_count: int) -> dict[str, str]:
    """Make the images and each format, unless they are there; return why contestants are left out, by name."""
    make_corpus(folder / "corpus", image_count, others=False)
    if not (folder / "tonnage").exists():
        toolkit.curate([folder / "corpus"], folder / "tonnage")
    left_out = {}
    for name in WRITERS:
        if (folder / name).exists():
            continue
        done = started("benchmarks.read_formats", name, str(folder / "corpus"), str(folder / name))
        if done.returncode:
            left_out[name] = (done.stderr.strip().splitlines() or ["it failed without a word"])[-1]
            print(f"{name} is left out: {left_out[name]}", file=sys.stderr)
    return left_out


def started(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module in a fresh process of this Python."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def rounds_of(group: str, contestants: Sequence[str], folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Return what every contestant's ways came to in every round."""
    lines: list[dict[str, Any]] = []
    for number in range(rounds):
        turns = [(name, seed) for name in ("ceilings", *contestants) for seed in seeds_of(group, name, number)]
        for name, seed in random.Random(number).sample(turns, len(turns)):
            done = started("benchmarks.read_invocation", name, group, str(folder), str(seed))
            if done.returncode:
                print(f"{name}, {group}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"contestant"')]
            lines += [line | {"round": number} for line in found]
    return lines


def seeds_of(group: str, name: str, number: int) -> range:
    """Return the seeds of a round: for cold ways, one for each way."""
    many = {"tonnage": 4, "datasets": 5}.get(name, COLD_WAYS) if group == "cold" and name != "ceilings" else 1
    return range(number * many, (number + 1) * many)


def summary(group: str, lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return medians with intervals, and the ratios to the ceilings of the same round."""
    unit = "images_per_s" if group == "decoded" else "bytes_per_s"
    rates: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        rates[f"{line['contestant']}: {line['way']}"][line["round"]].append(line[unit])
    best = {
        base: {
            number: [
                max(value for name, found in rates.items() if name.startswith(f"ceilings: {base}") for value in found[number])
            ]
            for number in rates[next(name for name in rates if name.startswith(f"ceilings: {base}"))]
        }
        for base in BASES[group]
        if any(name.startswith(f"ceilings: {base}") for name in rates)
    }
    return {
        "unit": unit,
        "rates": {
            name: dict(zip(("median", "low", "high"), median_interval(found), strict=True)) for name, found in rates.items()
        },
        "over_ceiling": {base: {name: ratio(found, ceiling) for name, found in rates.items()} for base, ceiling in best.items()},
        "fastest_peer": against_peers(rates),
    }


def ratio(rates: dict[int, list[float]], others: dict[int, list[float]]) -> dict[str, float]:
    """Return the median of the rounds' ratios, with its interval."""
    both = {number: [rates[number][0] / others[number][0]] for number in rates if rates[number] and others.get(number)}
    return dict(zip(("median", "low", "high"), median_interval(both), strict=True))


def against_peers(rates: dict[str, dict[int, list[float]]]) -> dict[str, Any]:
    """Return each of Tonnage's ways over the fastest peer in the same order, round by round."""
    ratios = {}
    for name, found in rates.items():
        order = name.removeprefix("tonnage: ").split(",")[0]
        peers = {
            peer: float(median_interval(others)[0])
            for peer, others in rates.items()
            if not peer.startswith(("tonnage", "ceilings")) and peer.split(": ")[1].split(",")[0] == order
        }
        if name.startswith("tonnage") and peers:
            fastest = max(peers, key=peers.__getitem__)
            ratios[name] = {"peer": fastest} | ratio(found, rates[fastest])
    return ratios


def table(group: str, found: dict[str, Any]) -> str:
    """Return a group as a table in Markdown."""
    scale, unit = (1.0, "images/s") if found["unit"] == "images_per_s" else (1e9, "GB/s")
    bases = list(found["over_ceiling"])
    rows = [f"| {group} | {unit} (95 %) | " + " | ".join(f"of {base}" for base in bases) + " |", "|---" * (2 + len(bases)) + "|"]
    for name, rate in sorted(found["rates"].items(), key=lambda item: -item[1]["median"]):
        digits = 0 if scale == 1.0 else 2
        figures = f"{rate['median'] / scale:,.{digits}f} ({rate['low'] / scale:,.{digits}f}-{rate['high'] / scale:,.{digits}f})"
        shares = " | ".join(f"{found['over_ceiling'][base][name]['median']:.2f}" for base in bases)
        rows.append(f"| {name} | {figures} | {shares} |")
    for name, against in found["fastest_peer"].items():
        span = f"{against['median']:.2f} ({against['low']:.2f}-{against['high']:.2f})"
        rows.append(f"\n{name}: {span} times {against['peer']}")
    return "\n".join(rows)


def main() -> None:
    """Measure the groups that are asked for, put them into the JSON beside those that are there, and print their tables."""
    parser = argparse.ArgumentParser(description="Reading beside peers and ceilings.")
    parser.add_argument("--groups", nargs="+", choices=sorted(BASES), default=list(BASES))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument(
        "--folder", type=Path, help="where formats are kept for the next run; by default they are made and removed"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "read.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        left_out = prepare(folder, arguments.images)
        contestants = [name for name in CONTESTANTS if name not in left_out]
        result = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
        for group in arguments.groups:
            began_s = time.perf_counter()
            taking = [name for name in contestants if not (group == "random" and name == "webdataset")]
            lines = rounds_of(group, taking, folder, arguments.rounds)
            result[group] = summary(group, lines) | {
                "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "rounds": arguments.rounds,
                "image_count": arguments.images,
                "left_out": left_out,
                "samples": lines,
                "environment": dict(environment_of(folder).facts),
            }
            print(table(group, result[group]), f"\n({time.perf_counter() - began_s:.0f} s)\n", flush=True)
            arguments.out.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    print(arguments.out)


if __name__ == "__main__":
    main()
