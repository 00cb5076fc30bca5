"""What a projection found: quantities over time, the plan, and why each number is what it is."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import polars as pl

from toolkit.errors import UsageError
from toolkit.facts.saved import check_schema, read_facts, told_if_lacking, write_facts
from toolkit.projection.explain import Explanation, NodeSummary, explain_node

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Plan", "Projection"]

PROJECTION_SCHEMA: Final = "tonnage.projection/1"

_TEXT, _NUMBER = pl.String(), pl.Float64()
FRAME_SCHEMA: Final = {
    "month": pl.Int32(), "quantity": _TEXT, "unit": _TEXT, "p10": _NUMBER, "p50": _NUMBER, "p90": _NUMBER, "evidence": _TEXT,
}  # fmt: skip
PLAN_SCHEMA: Final = {
    "phase": _TEXT, "item": _TEXT, "count": _NUMBER, "unit_price_usd": _NUMBER, "price_usd": _NUMBER, "power_w": _NUMBER,
    "needed_by_month": pl.Int32(), "reason": _TEXT, "evidence": _TEXT, "order_by_month": pl.Int32(), "budget_count": _NUMBER,
    "budget_usd": _NUMBER,
}  # fmt: skip
ALTERNATIVE_SCHEMA: Final = {
    "phase": _TEXT, "name": _TEXT, "item": _TEXT, "count": _NUMBER, "price_usd": _NUMBER, "power_w": _NUMBER,
    "is_chosen": pl.Boolean(), "verdict": _TEXT,
}  # fmt: skip
DOUBLING_SCHEMA: Final = {
    "resource": _TEXT, "quantity": _TEXT, "unit": _TEXT, "x1": _NUMBER, "x2": _NUMBER, "x4": _NUMBER, "x8": _NUMBER,
    "exponent": _NUMBER, "why": _TEXT,
}  # fmt: skip
SENSITIVITY_SCHEMA: Final = {
    "quantity": _TEXT, "unit": _TEXT, "input": _TEXT, "low_input": _NUMBER, "high_input": _NUMBER, "low_result": _NUMBER,
    "high_result": _NUMBER,
}  # fmt: skip
INFLUENCE_SCHEMA: Final = {"quantity": _TEXT, "input": _TEXT, "rank_correlation": _NUMBER, "first_order_share": _NUMBER}
ASSUMPTION_SCHEMA: Final = {
    "name": _TEXT, "value": _NUMBER, "unit": _TEXT, "shown": _TEXT, "evidence": _TEXT, "source": _TEXT,
}  # fmt: skip
BOTTLENECK_SCHEMA: Final = {
    "month": pl.Int32(), "phase": _TEXT, "resource": _TEXT, "demand": _NUMBER, "supply": _NUMBER, "unit": _TEXT,
    "load_share": _NUMBER,
}  # fmt: skip

_PERCENTILES: Final = ("p10", "p50", "p90")
_FRAMES: Final = {
    "frame": FRAME_SCHEMA,
    "doubling": DOUBLING_SCHEMA,
    "sensitivity": SENSITIVITY_SCHEMA,
    "influences": INFLUENCE_SCHEMA,
    "assumptions": ASSUMPTION_SCHEMA,
    "bottlenecks": BOTTLENECK_SCHEMA,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to buy or rent, when, and what limits."""

    frame: pl.DataFrame
    """phase, item, count, unit_price_usd, price_usd, power_w, needed_by_month, reason, evidence, order_by_month, budget_count,
    budget_usd. An unknown price is null. ``count`` is what is bought, at the 90th percentile; ``budget_count`` what is budgeted,
    at the median."""
    summary: str
    """The answer in a sentence or two."""
    bottleneck: str
    """What limits, and by how much."""
    next_bottleneck: str
    """What would limit next, once that is widened."""
    alternatives: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ALTERNATIVE_SCHEMA))
    """phase, name, item, count, price_usd, power_w, is_chosen, verdict: what else could be taken, and why it was not."""
    cheapest: tuple[str, ...] = ()
    """The cheapest choice of each phase that keeps deadline and objective, one sentence each."""
    edge_fit: str = ""
    """Whether the inference device fits at the edge, and what binds; empty where nothing is served there."""

    @property
    def total_price_usd(self) -> float:
        """Sum of the prices that are known."""
        return float(self.frame["price_usd"].sum())

    @property
    def total_budget_usd(self) -> float:
        """Sum of what is budgeted, at the median, of the prices that are known."""
        return float(self.frame["budget_usd"].sum())

    @property
    def unpriced_items(self) -> list[str]:
        """Items whose price is unknown: they need the user's input, and are not in the total."""
        return self.frame.filter(pl.col("price_usd").is_null())["item"].to_list()

    @property
    def total_power_w(self) -> float:
        """Sum of the power that is known."""
        return float(self.frame["power_w"].sum())

    def __repr__(self) -> str:
        from toolkit.units import show

        price, power = show(self.total_price_usd, "usd"), show(self.total_power_w, "w")
        unpriced = f"; {len(set(self.unpriced_items))} without a price" if self.unpriced_items else ""
        return f"<Plan: {len(self.frame)} purchases, {price}, {power}{unpriced}>\n{self.summary}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Demand, supply, bottleneck and plan of a scenario over months."""

    name: str
    """Name of the scenario."""
    scenario: Mapping[str, Any] = field(repr=False)
    """The scenario, as plain JSON."""
    months: tuple[int, ...] = field(repr=False)
    """Months projected, 0 is now."""
    frame: pl.DataFrame = field(repr=False)
    """month, quantity, unit, p10, p50, p90, evidence; one line per month and quantity."""
    plan: Plan = field(repr=False)
    """What to buy."""
    doubling: pl.DataFrame = field(repr=False)
    """resource, quantity, unit, x1, x2, x4, x8, exponent, why: what more data does to each."""
    sensitivity: pl.DataFrame = field(repr=False)
    """quantity, unit, input, low_input, high_input, low_result, high_result: what moves the headline numbers."""
    assumptions: pl.DataFrame = field(repr=False)
    """name, value, unit, shown, evidence, source: everything that was put in."""
    bottlenecks: pl.DataFrame = field(repr=False)
    """month, phase, resource, demand, supply, unit, load_share."""
    influences: pl.DataFrame = field(repr=False, default_factory=lambda: pl.DataFrame(schema=INFLUENCE_SCHEMA))
    """quantity, input, rank_correlation, first_order_share: what the spread of the headlines comes from, over all draws."""
    flags: tuple[str, ...] = ()
    """Warnings, one sentence each."""
    limits: tuple[str, ...] = ()
    """What the projection does not say, one sentence each."""
    backtest: str = ""
    """How well predictions on the dataset's own images were met by measurements, or that this was not tried."""
    explanations: Mapping[str, NodeSummary] = field(repr=False, default_factory=dict)
    """Every quantity with its formula, inputs and source."""

    def explain(self, quantity: str, month: int | None = None) -> Explanation:
        """Return why a quantity is what it is at a month (by default the last).

        Raises
        ------
        UsageError
            If there is no such quantity or month.
        """
        if month is not None and month not in self.months:
            raise UsageError(f"month {month} is not projected; the months are {self.months[0]} to {self.months[-1]}")
        index = len(self.months) - 1 if month is None else self.months.index(month)
        return explain_node(self.explanations, quantity, index)

    def value(self, quantity: str, month: int | None = None, percentile: str = "p50") -> float:
        """Return one number of the projection, in its base unit.

        Raises
        ------
        UsageError
            If there is no such quantity or month.
        """
        self.explain(quantity, month)
        wanted = self.months[-1] if month is None else month
        row = self.frame.filter((pl.col("quantity") == quantity) & (pl.col("month") == wanted))
        if row.is_empty():
            raise UsageError(f"'{quantity}' is an input, not a result; see projection.assumptions")
        return float(row[percentile][0])

    def __repr__(self) -> str:
        count = self.frame["quantity"].n_unique()
        return f"<Projection {self.name!r}: {len(self.months)} months, {count} quantities>\n{self.plan.summary}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, with the schema version."""
        return {
            "schema": PROJECTION_SCHEMA,
            "name": self.name,
            "scenario": dict(self.scenario),
            "months": list(self.months),
            **{name: getattr(self, name).to_dict(as_series=False) for name in _FRAMES},
            "plan": {
                "frame": self.plan.frame.to_dict(as_series=False),
                "summary": self.plan.summary,
                "bottleneck": self.plan.bottleneck,
                "next_bottleneck": self.plan.next_bottleneck,
                "edge_fit": self.plan.edge_fit,
                "cheapest": list(self.plan.cheapest),
                "alternatives": self.plan.alternatives.to_dict(as_series=False),
            },
            "flags": list(self.flags),
            "limits": list(self.limits),
            "backtest": self.backtest,
            "explanations": [_plain(node) for node in self.explanations.values()],
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return the projection held in plain JSON types.

        Raises
        ------
        DatasetError
            If it was written with another schema version.
        """
        remedy = "make it again with: tonnage project SCENARIO"
        check_schema(facts, PROJECTION_SCHEMA, "a projection", remedy)
        with told_if_lacking("projection", remedy):
            return cls._from_checked(facts)

    @classmethod
    def _from_checked(cls, facts: Mapping[str, Any]) -> Self:
        plan = dict(facts["plan"])
        nodes = (_summary(node) for node in facts["explanations"])
        return cls(
            name=facts["name"],
            scenario=facts["scenario"],
            months=tuple(facts["months"]),
            plan=_plan(plan),
            flags=tuple(facts["flags"]),
            limits=tuple(facts["limits"]),
            backtest=facts.get("backtest", ""),
            explanations={node.name: node for node in nodes},
            **{name: pl.DataFrame(facts.get(name, {}), schema=schema) for name, schema in _FRAMES.items()},
        )

    def save(self, path: str | Path) -> Path:
        """Write JSON to ``path`` and the long frame to Parquet beside it; return the JSON's path."""
        target = write_facts(path, self.to_dict(), indent=None)
        self.frame.write_parquet(target.with_suffix(".parquet"))
        return target

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the projection saved at ``path``."""
        return cls.from_dict(read_facts(path, "projection"))


def _plan(facts: Mapping[str, Any]) -> Plan:
    """Return a plan from plain JSON types; columns that an older file lacks are null."""

    def read(name: str, schema: dict[str, Any]) -> pl.DataFrame:
        columns: Mapping[str, list[Any]] = facts.get(name, {})
        nothing = [None] * len(next(iter(columns.values()), []))
        return pl.DataFrame({key: columns.get(key, nothing) for key in schema}, schema=schema)

    return Plan(
        frame=read("frame", PLAN_SCHEMA), summary=facts["summary"], bottleneck=facts["bottleneck"],
        next_bottleneck=facts["next_bottleneck"], alternatives=read("alternatives", ALTERNATIVE_SCHEMA),
        edge_fit=facts.get("edge_fit", ""), cheapest=tuple(facts.get("cheapest", ())),
    )  # fmt: skip


def _plain(node: NodeSummary) -> dict[str, Any]:
    """Return a quantity as plain JSON types, in which what is unknown is null."""
    facts = dataclasses.asdict(node)
    return facts | {name: [None if math.isnan(value) else value for value in facts[name]] for name in _PERCENTILES}


def _summary(node: Mapping[str, Any]) -> NodeSummary:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in node.items()}
    unknown = float("nan")
    return NodeSummary(
        **values | {name: tuple(unknown if value is None else value for value in node[name]) for name in _PERCENTILES}
    )
