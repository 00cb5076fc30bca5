"""The page of published figures: every case with what was published, what the formula gives, and how far they are apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.projection.validating import CaseResult

__all__ = ["validation_page"]


def validation_page(results: Sequence[CaseResult]) -> str:
    """Return the page that tells every case: published, ours, error, tolerance, source; as Markdown."""
    misses = [result for result in results if result.case.miss is not None]
    lines = [
        "# Published figures, recomputed",
        "",
        "Made by `tonnage validate --page docs/validation.md`; a test holds it to the code. Each row takes the inputs that a",
        "source published through the formula that projections use, and compares with what it published as the result.",
        "No constant is tuned to a row; what a formula misses is told with its error. V20 is one law fitted to its five rows;",
        "where only totals were published (V2 to V7), bytes per image are totals over counts, so that these rows hold units and",
        "wiring, not a prediction.",
        "",
        f"{len(results)} figures, {len(misses)} of them known misses.",
        "",
        "| case | figure | formula | published | ours | error | tolerance | source |",
        "|---|---|---|---:|---:|---:|---:|---|",
    ]
    for result in results:
        case, error = result.case, f"{result.error_share * 100:+.2f} %"
        tolerance = "known miss" if case.miss is not None else "in range" if case.between else f"{case.tolerance * 100:.4g} %"
        cells = (
            case.id, case.title, f"`{case.formula}`", result.published_shown, result.value_shown, error,
            tolerance, f"{case.source} ({case.as_of})",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    lines += ["", "## Known misses", ""]
    lines += [f"- **{result.case.id}**, {result.error_share * 100:+.0f} %: {result.case.because}" for result in misses]
    return "\n".join(lines) + "\n"
