"""The cheapest choice that keeps deadline and objective with the probability asked for: tried, from the cheapest up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.errors import TonnageError
from toolkit.projection.hardware_facts import accelerators
from toolkit.projection.result import ALTERNATIVE_SCHEMA
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.projection.explain import Ledger
    from toolkit.projection.scenario import Scenario

__all__ = ["with_cheapest"]

_KEYS: Final = {"storage": "medium", "training": "accelerator", "inference": "accelerator"}
"""Which key of a part of the scenario names the choice."""


def with_cheapest(
    listed: pl.DataFrame, scenario: Scenario, trial: Callable[[Scenario], Ledger]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the choices with what trying them found, and a sentence for each phase that names the cheapest that does.

    Parameters
    ----------
    listed : polars.DataFrame
        Every choice with its price and verdict.
    scenario : Scenario
        What is asked.
    trial : callable
        Projects a scenario with another choice on a few draws, and checks its plan.
    """
    rows = listed.to_dicts()
    sentences = []
    for phase in dict.fromkeys(row["phase"] for row in rows):
        own = [row for row in rows if row["phase"] == phase]
        sentences.append(_named(phase, own, scenario, trial))
    return pl.DataFrame(rows, schema=ALTERNATIVE_SCHEMA), tuple(sentences)


def _named(phase: str, rows: list[dict[str, Any]], scenario: Scenario, trial: Callable[[Scenario], Ledger]) -> str:
    """Return the sentence of a phase; choices that were tried and do not do get their verdict."""
    unpriced = sum(row["price_usd"] is None and not row["verdict"].startswith("rejected") for row in rows)
    besides = f"; {unpriced} {'has' if unpriced == 1 else 'have'} no price to compare" if unpriced else ""
    priced = [row for row in rows if row["price_usd"] is not None and _may_do(row["verdict"])]
    if not priced:
        return f"{phase}: no price is known of any that could be taken; needs input{besides}"
    for row in sorted(priced, key=lambda row: (row["price_usd"], row["power_w"])):
        fault, said = _tried(phase, row["name"], scenario, trial)
        if not fault:
            rent = "" if phase == "storage" else " a month"
            return (
                f"{phase}: {row['count']:,.0f} x {row['item']} is the cheapest of {len(priced)} that could be taken and whose "
                f"price is known, at {show(row['price_usd'], 'usd')}{rent}{said}{besides}"
            )
        row["verdict"] = f"chosen, but {fault}" if row["is_chosen"] else f"rejected: {fault}"
    aim = "objective" if phase == "inference" else "deadline"
    return f"{phase}: none of those whose price is known keeps the {aim}{besides}"


def _may_do(verdict: str) -> bool:
    return verdict == "chosen" or verdict.startswith("cheaper") or "times the price" in verdict


def _tried(phase: str, name: str, scenario: Scenario, trial: Callable[[Scenario], Ledger]) -> tuple[str, str]:
    """Return why a choice does not do, or an empty text; and how surely it does."""
    part = getattr(scenario, phase).model_copy(update={_KEYS[phase]: name})
    changed = scenario.model_copy(update={phase: part})
    try:
        ledger = trial(changed)
    except TonnageError as fault:
        return str(fault), ""
    if phase == "training" and ledger.median("training.memory_bytes") > accelerators()[name].memory:
        return "too little memory", ""
    share_name, words = ("plan.missed_share", "objective missed") if phase == "inference" else ("plan.late_share", "a run late")
    if share_name not in ledger.values:
        return "", ""
    share = ledger.median(share_name)
    said = f"{words} in {show(share, 'share')} of the draws"
    return (said, "") if share > 1 - scenario.plan.probability + 1e-9 else ("", f"; {said}")
