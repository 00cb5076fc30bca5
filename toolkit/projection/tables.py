"""The tables of a projection: results by month, what moves the headline numbers, and everything that was put in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from toolkit.projection.influence import influences
from toolkit.projection.model import evaluate
from toolkit.projection.result import ASSUMPTION_SCHEMA, FRAME_SCHEMA, INFLUENCE_SCHEMA, SENSITIVITY_SCHEMA
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.projection.explain import Ledger, NodeSummary
    from toolkit.projection.givens import Givens
    from toolkit.projection.scenario import Scenario

__all__ = ["assumptions_of", "frame_of", "influences_of", "sensitivity_of"]

_RESULT_PREFIXES: Final = (
    "dataset.",
    "storage.",
    "bandwidth.",
    "network.",
    "training.",
    "inference.",
    "cache.",
    "curation.",
    "cost.",
    "site.",
    "plan.",
    "limit.",
)
_HEADLINES: Final = (
    "storage.capacity_bytes",
    "training.gpu_count",
    "training.elapsed_s",
    "training.cost_usd",
    "inference.instance_count",
)
_SENSITIVITY_ROWS: Final = 8


def frame_of(nodes: Mapping[str, NodeSummary], months: np.ndarray[Any, Any]) -> pl.DataFrame:
    """Return every result by month."""
    told = [node for node in nodes.values() if node.name.startswith(_RESULT_PREFIXES) and node.formula]
    count = len(months)
    columns: dict[str, Any] = {"month": np.tile(months.astype(np.int32), len(told))}
    for name in ("name", "unit", "evidence"):
        column = pl.Series([getattr(node, name) for node in told], dtype=pl.String)
        columns["quantity" if name == "name" else name] = column.gather(np.repeat(np.arange(len(told)), count))
    for name in ("p10", "p50", "p90"):
        columns[name] = np.concatenate([np.broadcast_to(getattr(node, name), count) for node in told])
    return pl.DataFrame({name: columns[name] for name in FRAME_SCHEMA}, schema=FRAME_SCHEMA).with_columns(
        pl.col("p10", "p50", "p90").fill_nan(None)
    )


def sensitivity_of(
    scenario: Scenario,
    givens: Givens,
    months: np.ndarray[Any, Any],
    bought: np.ndarray[Any, Any] | None,
    bought_nodes: np.ndarray[Any, Any] | None = None,
) -> pl.DataFrame:
    """Return how far each uncertain input alone moves the headline numbers at the last month, the widest first.

    Devices stay those that were bought: an input that is worse than thought makes a run late, it buys no more of them.
    """
    uncertain = [given for given in givens.by_name.values() if not given.is_certain]
    if not uncertain:
        return pl.DataFrame(schema=SENSITIVITY_SCHEMA)
    last = months[-2:] if len(months) > 1 else months
    ends = [(given.at("p10"), given.at("p90")) for given in uncertain]
    values = {name: np.full((1, 1), given.at("p50")) for name, given in givens.by_name.items()}
    for index, given in enumerate(uncertain):  # each input's two ends are two draws: all are evaluated at once
        values[given.name] = np.full((2 * len(uncertain), 1), given.at("p50"))
        values[given.name][2 * index : 2 * index + 2, 0] = ends[index]
    is_trained = scenario.training is not None
    there, nodes = (None if part is None or not is_trained else part[:, -2:] for part in (bought, bought_nodes))
    ledger = evaluate(scenario, givens.by_name, values, last, bought=there, bought_nodes=nodes)
    rows: list[dict[str, Any]] = []
    for quantity in _HEADLINES:
        if not (moved := _moved(quantity, ledger.values)):
            continue
        results = np.broadcast_to(ledger.values[moved][:, -1], 2 * len(uncertain)).reshape(-1, 2)
        for given, (low_input, high_input), (low, high) in zip(uncertain, ends, results.tolist(), strict=True):
            if low != high and np.isfinite([low, high]).all():
                inputs = {"input": given.name, "low_input": low_input, "high_input": high_input}
                told = {"quantity": quantity, "unit": ledger.unit(moved), "low_result": low, "high_result": high}
                rows.append(told | inputs)
    frame = pl.DataFrame(rows, schema=SENSITIVITY_SCHEMA).with_columns(swing=(pl.col("high_result") - pl.col("low_result")).abs())
    widest = frame.sort("swing", descending=True).group_by("quantity", maintain_order=True).head(_SENSITIVITY_ROWS)
    return widest.select(*SENSITIVITY_SCHEMA)


def influences_of(ledger: Ledger, givens: Givens) -> pl.DataFrame:
    """Return what the spread of the headline numbers comes from when all inputs vary at once."""
    uncertain = [given.name for given in givens.by_name.values() if not given.is_certain]
    told = {name: ledger.values[moved] for name in _HEADLINES if (moved := _moved(name, ledger.values))}
    return pl.DataFrame(influences(ledger.values | told, uncertain, list(told)), schema=INFLUENCE_SCHEMA)


def _moved(headline: str, values: Mapping[str, Any]) -> str:
    """Return the quantity by which inputs move a headline: devices are bought as needed; empty where nothing moves it."""
    if headline == "training.gpu_count":
        return "training.needed_count" if "training.needed_count" in values else ""
    return headline if headline in values else ""


def assumptions_of(givens: Givens) -> pl.DataFrame:
    """Return everything that was put in."""
    rows = [
        {
            "name": given.name,
            "value": given.value,
            "unit": given.unit,
            "shown": _shown(given.value, given.unit, given.at("p10"), given.at("p90"), is_certain=given.is_certain),
            "evidence": given.evidence,
            "source": given.source,
        }
        for given in givens.by_name.values()
    ]
    return pl.DataFrame(rows, schema=ASSUMPTION_SCHEMA).with_columns(pl.col("value").fill_nan(None))


def _shown(value: float, unit: str, low: float, high: float, *, is_certain: bool) -> str:
    if np.isnan(value):
        return "needs input"
    text = show(value, unit)
    return text if is_certain else f"{text} ({show(low, unit)} to {show(high, unit)})"
