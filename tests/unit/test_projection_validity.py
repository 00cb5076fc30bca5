"""Every formula that was held against something says against what, and is flagged where its inputs lie outside of that."""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import toolkit
import toolkit.projection
from toolkit.projection.caching import lru_hit_share
from toolkit.projection.explain import Ledger, formula
from toolkit.projection.result import Projection
from toolkit.projection.validity import Range, sentences

ASKED: dict[str, Any] = {
    "name": "v", "horizon_months": 6, "dataset": {"images": 1e6, "image_size": "100 kB"},
    "training": {"epochs": 30, "deadline": "1 day"},
}  # fmt: skip
FORMULAS = {
    f"{info.name}.{name}": function
    for info in pkgutil.iter_modules(toolkit.projection.__path__)
    for name, function in vars(importlib.import_module(f"toolkit.projection.{info.name}")).items()
    if hasattr(function, "valid") and function.__module__.endswith(info.name)
}
STATED = sorted((name, argument) for name, function in FORMULAS.items() for argument in function.valid)
_CANNOT = {"purchases.units_bought"}  # a probability beyond 1 has no quantile


def ledger_of(name: str, argument: str, beyond: float, *, rare: bool = False) -> Ledger:
    """Return a ledger in which a formula is given one argument outside of its range, all others inside."""
    function = FORMULAS[name]
    held: Range = function.valid[argument]
    ledger = Ledger()
    parts: dict[str, str] = {}
    for each, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        other = function.valid.get(each)
        value = 2.0
        if other is not None and isinstance(other.low, float | int) and math.isfinite(other.low):
            value = (
                max(value, other.low)
                if not isinstance(other.high, float | int) or other.high >= 2
                else (other.low + other.high) / 2
            )
        if each == argument:
            end = held.high if beyond > 0 and held.high != math.inf else held.low
            number = 2.0 if isinstance(end, str) else float(end)
            up = end == held.high and held.high != math.inf
            value = number + max(1.0, abs(number)) if up else number - max(1.0, abs(number))
        draws = np.full((20, 2), value)
        if each == argument and rare:
            draws[:16] = np.nan_to_num((float(held.low) if not isinstance(held.low, str) else 2.0), neginf=0.0)
        ledger.give(each, "count", draws, source="a test", evidence="stated")
        parts[each] = each
    with np.errstate(all="ignore"):
        ledger.derive("made", function, **parts)
    return ledger


@pytest.mark.parametrize(("name", "argument"), [pair for pair in STATED if pair[0] not in _CANNOT])
def test_each_stated_range_is_flagged_beyond_its_end(name: str, argument: str) -> None:
    held = FORMULAS[name].valid[argument]
    found = ledger_of(name, argument, 1.0).outside()
    assert (argument, False) in [(each.source, each.is_rare) for each in found], held


def test_most_formulas_that_rest_on_evidence_say_what_they_were_held_against() -> None:
    said = {name for name, function in FORMULAS.items() if any(held.why for held in function.valid.values())}
    assert len(said) >= 30
    assert {"steps.kept_share", "serving_rates.roofline_rate", "queueing.md1_wait", "caching.lru_hit_share",
            "reliability.daly_interval", "network.allreduce_time", "curation_load.search"} <= said  # fmt: skip
    shares = {argument for _, argument in STATED if argument.endswith("_share")}
    assert {"hit_share", "goodput_share", "payload_share", "overlap_share"} <= shares


def test_the_tail_of_the_draws_outside_is_said_to_be_one_of_ten() -> None:
    found = ledger_of("queueing.md1_wait", "load_share", 1.0, rare=True).outside()
    assert [each.is_rare for each in found if each.source == "load_share"] == [True]
    assert "in one draw of ten lies outside" in sentences(found, np.arange(2.0))[0]


def test_an_end_that_is_another_input_is_told_in_its_value() -> None:
    ledger = ledger_of("reliability.daly_interval", "write_s", 1.0)
    [said] = sentences(ledger.outside(), np.arange(2.0))
    assert said == (
        "made: write_s of 4 lies outside the 0 to 2 that its formula holds for (beyond, a checkpoint hardly ends before the next "
        "failure)"
    )


def test_a_range_of_an_argument_that_is_not_there_is_refused() -> None:
    for valid in ({"other": (0, 1)}, {"part_s": (0, "other")}):
        with pytest.raises(TypeError, match="the formula twice has no argument other"):

            @formula("s", "twice", valid=valid)
            def twice(part_s: Any) -> Any:
                """Twice.  Source: definition."""
                return 2 * part_s


def test_a_projection_tells_from_when_on_and_why_and_explains_it() -> None:
    grown = {"kind": "linear", "images_per_month": 3e6, "uncertainty": 0}
    found: Projection = toolkit.project(ASKED | {"growth": grown}, draws=20)
    [said] = [flag for flag in found.flags if flag.startswith("curation.search_s: ")]
    assert "holds for from month 4 on (near duplicates were searched among at most 10 million hashes)" in said
    why = found.explain("curation.search_s")
    assert (
        why.holds_for == "dataset.images 1 images to 10 M images (near duplicates were searched among at most 10 million hashes)"
    )
    assert "outside of that: curation.search_s: dataset.images of 19 M images" in str(why)
    assert not toolkit.project(ASKED, draws=20).explain("curation.search_s").outside
    again = Projection.from_dict(found.to_dict())
    assert again.explain("curation.search_s") == why


def _simulated_hit_share(nodes: int, held: float, images: int = 1024) -> float:
    """Return the share of reads that one of the nodes finds in its own cache, least recently used out first."""
    chance, cache = np.random.default_rng(nodes), OrderedDict[int, None]()
    hits, reads, epochs = 0, 0, max(16, 6 * nodes)
    for epoch in range(epochs):
        for image in chance.permutation(images)[: images // nodes].tolist():
            is_settled = epoch >= epochs // 2
            reads += is_settled
            if image in cache:
                cache.move_to_end(image)
                hits += is_settled
            else:
                cache[image] = None
                if len(cache) > held * images:
                    cache.popitem(last=False)
    return hits / reads


@pytest.mark.parametrize("nodes", [1, 4, 64, 256])
@pytest.mark.parametrize("held", [0.5, 0.9])
def test_caches_of_nodes_answer_as_a_simulation_of_them_does(nodes: int, held: float) -> None:
    ours = float(lru_hit_share(np.array(held), np.array(1.0), np.array(float(nodes))))
    assert ours == pytest.approx(_simulated_hit_share(nodes, held), abs=0.025)
