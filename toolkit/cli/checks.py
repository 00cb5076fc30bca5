"""What projections may be believed by: predictions from small sizes held against larger ones."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - read by typer at run time
from typing import Annotated

import typer

from toolkit.cli.app import AsJson, Quiet, Scheduler, app, print_json

__all__ = ["backtest"]


@app.command()
def backtest(
    dataset: Annotated[str, typer.Argument(help="A dataset made by curate; its images are drawn into others of several sizes.")],
    limit: Annotated[str, typer.Option(help="Time to take, such as '5 min': longer tests larger sizes.")] = "5 min",
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    scheduler: Scheduler = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write; by default DATASET/backtests/<UTC>.json.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Predict sizes and times of up to 8 times the data from small sizes, measure them, and tell how far off that was."""
    import toolkit
    from toolkit.terminal import progress_bars, show_backtest
    from toolkit.units import parse_quantity

    limit_s = parse_quantity(limit, "s")
    with progress_bars(quiet=quiet) as progress:
        found = toolkit.backtest(dataset, limit_s=limit_s, seed=seed, scheduler=scheduler, out=out, progress=progress)
    print_json(found.to_dict()) if as_json else show_backtest(found)
