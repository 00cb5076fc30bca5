"""How long a projection of 120 months and 10,000 draws takes, in processor time, so that a shared machine tells the same.

Beside another checkout the two take turns, each in processes of its own, so that what else the machine does meets both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import toolkit
from toolkit.measurement.environment import environment_of
from toolkit.projection.run import project

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).resolve().parents[1]
SCENARIO = _ROOT / "sample_data" / "scenarios" / "vision_team_100tb.yaml"
_WITHOUT_A_DATASET = {"lab_one_node": {"dataset": {"image_size": "150 kB"}, "storage": {"supply": "drives"}}}
"""What a scenario that leaves something to measurements is given instead, so that it stands alone."""
DATA_ALONE = ("name", "dataset", "growth")
"""Parts of a scenario that only keeps its data: about 40 of its quantities change with time."""


def scenario_of(path: Path, months: int, parts: Sequence[str] = ()) -> dict[str, Any]:
    """Return a scenario that needs neither dataset nor measurements, over so many months; of some of its parts, if named."""
    asked = yaml.safe_load(path.read_text(encoding="utf-8"))
    for part, keys in _WITHOUT_A_DATASET.get(path.stem, {}).items():
        asked[part] |= keys
    return {key: value for key, value in asked.items() if key in (parts or asked)} | {"horizon_months": months}


def measure(
    months: int = 120, draws: int = 10_000, repeats: int = 3, path: Path = SCENARIO, parts: Sequence[str] = ()
) -> dict[str, float]:
    """Return the least processor time of several projections, the quantities that change with time, and the peak memory."""
    asked = scenario_of(path, months, parts)
    project(asked, draws=10)  # imports and simulated queues are paid once
    spent_s = []
    for _ in range(repeats):
        start_s = time.process_time()
        found = project(asked, draws=draws)
        spent_s.append(time.process_time() - start_s)
    varying = sum(len(set(node.p50)) > 1 for node in found.explanations.values())
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"cpu_s": min(spent_s), "varying_count": varying, "quantity_count": len(found.explanations), "peak_bytes": peak_bytes}


def _in_checkout(checkout: Path, path: Path, parts: Sequence[str]) -> dict[str, float]:
    """Return what a fresh process finds with the toolkit of a checkout and the benchmark as it is here."""
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--scenario",
        str(path),
        "--repeats",
        "2",
        "--once",
        "--parts",
        *parts,
    ]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def run(path: Path, repeats: int, beside: Path | None, parts: Sequence[str] = ()) -> dict[str, Any]:
    """Return every run of a scenario and the medians, in turns with those of another checkout if one is named."""
    checkouts = {"here": _ROOT} | ({"beside": beside} if beside is not None else {})
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    for _ in range(repeats):
        for name, checkout in checkouts.items():
            runs[name].append(_in_checkout(checkout, path, parts))
    medians = {name: {key: statistics.median(each[key] for each in taken) for key in taken[0]} for name, taken in runs.items()}
    return {"scenario": f"{path.stem}, {' and '.join(parts[1:])} alone" if parts else path.stem, "medians": medians, "runs": runs}


def main() -> None:
    """Measure, write the JSON and print the medians."""
    parser = argparse.ArgumentParser(description="Processor time of projections of 120 months and 10,000 draws.")
    parser.add_argument("--scenario", type=Path, help="one scenario alone")
    parser.add_argument("--parts", nargs="*", default=[], help="parts of it alone")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--beside", type=Path, help="another checkout, to take turns with")
    parser.add_argument("--once", action="store_true", help="in this process, and print what was found")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "projection_speed.json")
    arguments = parser.parse_args()
    if arguments.once:
        sys.stdout.write(
            json.dumps(measure(repeats=arguments.repeats, path=arguments.scenario or SCENARIO, parts=arguments.parts)) + "\n"
        )
        return
    named = [(arguments.scenario, arguments.parts)] if arguments.scenario else []
    asked = named or [(SCENARIO, DATA_ALONE), (SCENARIO, ()), (SCENARIO.with_name("lab_one_node.yaml"), ())]
    load = os.getloadavg()[0]
    found = [run(path, arguments.repeats, arguments.beside, parts) for path, parts in asked]
    result = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"), "version": toolkit.__version__,
        "months": 120, "draws": 10_000, "load_before": round(load, 1), "scenarios": found,
        "what_it_says": "cpu_s: the least processor time of two projections in a fresh process, imports and simulated queues "
        "paid before; medians over processes; beside: the same with another checkout, in turns",
        "environment": dict(environment_of(Path.cwd()).facts),
    }  # fmt: skip
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    for each in found:
        sys.stdout.write(f"{each['scenario']}: {json.dumps(each['medians'])}\n")


if __name__ == "__main__":
    main()
