"""How long a projection of 120 months and 10,000 draws takes, in CPU time, so that a shared machine tells the same."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import yaml

from toolkit.projection.run import project

SCENARIO = Path(__file__).resolve().parents[1] / "sample_data" / "scenarios" / "vision_team_100tb.yaml"


def measure(months: int = 120, draws: int = 10_000, repeats: int = 3) -> dict[str, float]:
    """Return the least CPU time of several projections, the quantities that change with time, and the peak memory."""
    asked = yaml.safe_load(SCENARIO.read_text(encoding="utf-8")) | {"horizon_months": months}
    project(asked, draws=10)  # imports and simulated queues are paid once
    spent_s = []
    for _ in range(repeats):
        start_s = time.process_time()
        found = project(asked, draws=draws)
        spent_s.append(time.process_time() - start_s)
    varying = sum(len(set(node.p50)) > 1 for node in found.explanations.values())
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"cpu_s": min(spent_s), "varying_count": varying, "quantity_count": len(found.explanations), "peak_bytes": peak_bytes}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()) + "\n")
