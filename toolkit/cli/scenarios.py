"""What projections rest on: published figures recomputed, scenarios begun, checked and explained, hardware with its sources."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads annotations when it runs
from typing import Annotated

import typer

from toolkit.cli.app import AsJson, app, print_json, print_line

__all__ = ["validate"]


@app.command()
def validate(
    cases: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="YAML files of cases; by default those of the toolkit.")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Markdown file to write the table to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute published figures with the formulas of projections; exit 1 if any is out of its tolerance."""
    from toolkit.projection.validating import validate as recompute_all
    from toolkit.projection.validation_page import validation_page

    results = recompute_all(cases or ())
    failed = [result for result in results if not result.is_within]
    if page is not None:
        page.write_text(validation_page(results), encoding="utf-8")
    if as_json:
        print_json({"cases": [result.to_dict() for result in results], "failed_count": len(failed)})
    else:
        for result in results:
            tolerance = "" if result.case.between or result.case.miss is not None else f"{result.case.tolerance * 100:.4g} %"
            print_line(
                f"{result.case.id:28} {result.published_shown:>24} {result.value_shown:>16} {result.error_share * 100:+8.2f} % "
                f"{tolerance:>8}  {result.verdict:11}  {result.case.title}"
            )
        misses = sum(result.case.miss is not None for result in results)
        print_line(f"{len(results)} published figures, {len(failed)} out of tolerance, {misses} known misses")
    if failed:
        raise typer.Exit(1)
