"""What projections may be believed by: predictions held against measurements, and laws fitted to measured points."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - read by typer at run time
from typing import Annotated

import typer

from toolkit.cli.app import AsJson, Quiet, Scheduler, app, print_json, print_line

__all__ = ["backtest", "calibrate"]


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


@app.command()
def calibrate(
    points: Annotated[
        str | None, typer.Argument(help="YAML or JSON file: training rates, batch times, watts, rates of several devices.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Dataset whose steps and newest back-test are taken as well.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file; by default DATASET/calibrations/<UTC>.json.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit laws to measured points, tell what each misses of points left out, and save them for projections."""
    import toolkit
    from toolkit.errors import UsageError

    if dataset is None and out is None:
        raise UsageError("say where the calibration is to lie: --dataset DATASET or --out FILE.json")
    found = toolkit.calibrate(points, dataset=dataset, out=out)
    if as_json:
        print_json(found.to_dict())
        return
    for law in found.laws:
        terms = ", ".join(f"{name} {value:.4g}" for name, value in law.terms.items())
        print_line(f"{law.name}: {law.formula}; {terms}; {law.point_count} points, off by {law.off} where left out")
    for flag in found.flags:
        print_line(f"! {flag}")
