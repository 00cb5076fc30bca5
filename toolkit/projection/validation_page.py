"""The page of published figures: systems projected whole, and every case with what was published and what the formula gives."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Final

import toolkit.projection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.projection.systems import SystemResult
    from toolkit.projection.validating import CaseResult

__all__ = ["used_formulas", "validation_page"]

_NOT_PROJECTING: Final = (
    "calibrating", "calibration", "calibration_points", "formula_page", "systems", "validating", "validation_page",
)  # fmt: skip
"""Modules that no projection passes through; formulas that only they name check the library."""


@functools.cache
def used_formulas() -> frozenset[str]:
    """Return the formulas, as ``module.name``, that modules of a projection name: those that its numbers rest on.

    Examples
    --------
    >>> "reliability.daly_interval" in used_formulas(), "arithmetic.vit_mac_count" in used_formulas()
    (True, False)
    """
    used: set[str] = set()
    for info in pkgutil.iter_modules(toolkit.projection.__path__):
        if info.name in _NOT_PROJECTING:
            continue
        tree = ast.parse(inspect.getsource(importlib.import_module(f"toolkit.projection.{info.name}")))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("toolkit.projection."):
                used |= {f"{(node.module or '').rpartition('.')[2]}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                used.add(f"{node.value.id}.{node.attr}")
    return frozenset(used)


def validation_page(results: Sequence[CaseResult], systems: Sequence[SystemResult] = ()) -> str:
    """Return the page that tells every system and case: published, ours, error, tolerance, source; as Markdown."""
    misses = [result for result in results if result.case.miss is not None]
    used = sum(result.case.formula in used_formulas() for result in results)
    lines = [
        "# Published figures, recomputed",
        "",
        "Made by `tonnage validate --page docs/validation.md`; a test holds it to the code. No constant is tuned to a row; what",
        "is missed is told with its error.",
        "",
        *_systems(systems),
        "## Formulas",
        "",
        "Each row takes the inputs that a source published through one formula, and compares with what it published. Of",
        f"{len(results)} figures, {used} go through a formula that projections use, and {len(results) - used} check the library:",
        "formulas that it offers, that counted the hardware facts, or that only restate what a source says of itself. V20 is",
        "one law fitted to its five rows; where only totals were published (V2 to V7), bytes per image are totals over counts,",
        "so that these rows hold units and wiring, not a prediction.",
        "",
        f"{len(results)} figures, {len(misses)} of them known misses.",
        "",
        "| case | figure | formula | used by | published | ours | error | tolerance | source |",
        "|---|---|---|---|---:|---:|---:|---:|---|",
    ]
    for result in results:
        case, error = result.case, f"{result.error_share * 100:+.2f} %"
        tolerance = "known miss" if case.miss is not None else "in range" if case.between else f"{case.tolerance * 100:.4g} %"
        cells = (
            case.id, case.title, f"`{case.formula}`", "projections" if case.formula in used_formulas() else "library",
            result.published_shown, result.value_shown, error, tolerance, f"{case.source} ({case.as_of})",
        )  # fmt: skip
        lines.append(_row(cells))
    lines += ["", "## Known misses", ""]
    lines += [f"- **{result.case.id}**, {result.error_share * 100:+.0f} %: {result.case.because}" for result in misses]
    return "\n".join(lines) + "\n"


def _systems(systems: Sequence[SystemResult]) -> list[str]:
    """Return the table of systems projected whole, or nothing where none were."""
    if not systems:
        return []
    reached = sum(result.is_reached for result in systems)
    lines = [
        "## Published systems, projected whole",
        "",
        "Each row is a scenario (`toolkit/projection/cases/systems/systems.yaml`) that takes the path of `tonnage project`. What",
        "was published lies within the 10th and 90th percentile, or within a factor of the middle where little is uncertain, in",
        f"{reached} of {len(systems)}; of ten such ranges eight should hold what they are of. Published runs and rates that rest",
        "on the very system are left out (last column). Laws fitted over many systems are not: the cost of a step rests on",
        "MLPerf Training v3.0, V19 and V20 among it.",
        "",
        "| case | system | quantity | published | p10 | p50 | p90 | p50 off by | verdict | source | left out |",
        "|---|---|---|---:|---:|---:|---:|---:|---|---|---|",
    ]
    for result in systems:
        system = result.system
        within = f"within a factor of {system.factor:g}" if result.p10 == result.p90 else result.verdict
        cells = (
            system.id, system.title, f"`{system.quantity}`", *result.shown, f"{result.error_share * 100:+.0f} %",
            within if result.is_reached else result.verdict, f"{system.source} ({system.as_of})", ", ".join(system.left_out),
        )  # fmt: skip
        lines.append(_row(cells))
    lines += [
        "",
        *(f"- **{r.system.id}**, {r.error_share * 100:+.0f} %: {r.system.because}" for r in systems if r.system.miss),
        "",
    ]
    return lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
