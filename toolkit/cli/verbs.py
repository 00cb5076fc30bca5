"""The verbs: curate, measure, project, report; and show and verify, which look at what they made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.app import INTERRUPTED, AsJson, Quiet, Scheduler, app, print_json, print_line, print_notes
from toolkit.errors import UsageError

__all__ = ["curate", "measure", "project", "report", "show", "verify"]

StorageOptions = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Option of object stores, such as endpoint, region, anonymous; may be repeated."),
]

Whole = Annotated[
    bool,
    typer.Option(
        "--all", help="Everything there is, not one screen: of a projection every order and quantity, of measurements every rate."
    ),
]


@app.command()
def curate(
    places: Annotated[
        list[str], typer.Argument(metavar="SOURCE... DATASET", help="Folders, archives and tables; last, where the dataset lies.")
    ],
    *,
    recipe: Annotated[
        str | None,
        typer.Option(help="YAML file with a recipe; by default that of the last batch, at first leaving out exact copies alone."),
    ] = None,
    redecide: Annotated[
        bool,
        typer.Option("--redecide", help="Decide DATASET anew by --recipe; nothing is read or decoded, no SOURCE is named."),
    ] = False,
    scheduler: Scheduler = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes of the LocalCluster.")] = None,
    worker_memory: Annotated[str | None, typer.Option(help="Memory that each of them may take, such as '1 GiB'.")] = None,
    storage_option: StorageOptions = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Turn raw images into a clean, versioned dataset; run again to add what is new."""
    if redecide:
        _redecide(places, recipe, scheduler, workers, quiet=quiet, as_json=as_json)
        return
    if len(places) < 2:
        raise UsageError("curate needs at least one SOURCE and, last, the DATASET: tonnage curate photos/ my-dataset")
    import toolkit
    from toolkit.terminal import progress_bars, show_profile

    with progress_bars(quiet=quiet) as progress:
        options = _options(storage_option or [])
        dataset = toolkit.curate(
            places[:-1],
            places[-1],
            recipe,
            scheduler,
            workers=workers,
            worker_memory=worker_memory,
            progress=progress,
            storage_options=options,
        )
    profile = dataset.profile
    print_json(profile.to_dict()) if as_json else show_profile(profile)


def _options(pairs: list[str]) -> dict[str, str]:
    if any("=" not in pair for pair in pairs):
        raise UsageError("a storage option is a key and a value: --storage-option endpoint=http://127.0.0.1:9000")
    return dict(pair.split("=", 1) for pair in pairs)


def _redecide(
    places: list[str], recipe: str | None, scheduler: str | None, workers: int | None, *, quiet: bool, as_json: bool
) -> None:
    if len(places) != 1 or recipe is None:
        raise UsageError("--redecide takes a DATASET alone and a recipe: tonnage curate my-dataset --recipe new.yaml --redecide")
    import toolkit
    from toolkit.terminal import progress_bars, show_profile

    before = toolkit.open_dataset(places[0])
    with progress_bars(quiet=quiet) as progress:
        dataset = toolkit.redecide(before, recipe, scheduler=scheduler, workers=workers, progress=progress)
    if as_json:
        print_json(dataset.profile.to_dict())
        return
    show_profile(dataset.profile)
    if dataset.version != before.version:
        print_notes(dataset)


@app.command()
def measure(  # noqa: PLR0917 - options are given by name
    dataset: Annotated[str, typer.Argument(help="A dataset made by curate.")],
    plan: Annotated[str, typer.Option(help="quick (under a minute), standard or thorough.")] = "quick",
    only: Annotated[
        str | None,
        typer.Option(help="Families, comma separated: read,decode,loader,transfer; utilisation,contention,compute where named."),
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="Transfer to host:port ('tonnage serve' there), s3://bucket/prefix or a folder.")
    ] = None,
    token: Annotated[str, typer.Option(envvar="TONNAGE_TOKEN", help="What 'tonnage serve' printed.")] = "",
    storage_option: StorageOptions = None,
    scheduler: Scheduler = None,
    preset: Annotated[
        list[str] | None, typer.Option(help="Accelerator that utilisation emulates, such as resnet50-h100; may be repeated.")
    ] = None,
    step_time: Annotated[str | None, typer.Option(help="A step of your own to emulate, such as '12 ms'.")] = None,
    step_images: Annotated[int | None, typer.Option(help="Images of that step; 64 by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write; by default DATASET/measurements/<UTC>.json.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measure read, decode, loader and transfer rates of a dataset here, each beside its ceiling."""
    import toolkit
    from toolkit.terminal import progress_bars
    from toolkit.terminal_measurements import show_measurements
    from toolkit.units import parse_quantity

    if to is None and token == os.environ.get("TONNAGE_TOKEN"):
        token = ""  # it lies in the environment for another run
    step_time_s = None if step_time is None else parse_quantity(step_time, "s")
    with progress_bars(quiet=quiet) as progress:
        measured = toolkit.measure(
            dataset, plan, None if only is None else only.split(","), scheduler, to=to, token=token,
            storage_options=_options(storage_option or []), presets=preset or [], step_time_s=step_time_s,
            step_images=step_images, out=str(out) if out else None, progress=progress,
        )  # fmt: skip
    if as_json:
        print_json(measured.to_dict())
    else:
        show_measurements(measured)
    if measured.environment.facts.get("is_interrupted"):
        raise typer.Exit(INTERRUPTED)


@app.command()
def project(  # noqa: PLR0917 -- the options of a command
    scenario: Annotated[str, typer.Argument(help="YAML or JSON file with a scenario.")],
    dataset: Annotated[str | None, typer.Option(help="Dataset whose profile (and newest measurements) are the start.")] = None,
    measurements: Annotated[
        list[str] | None, typer.Option(help="Measurements to use, may be repeated; by default the newest of the dataset.")
    ] = None,
    calibration: Annotated[str | None, typer.Option(help="Calibration to use; by default the newest of the dataset.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write the projection to.")] = None,
    explain: Annotated[str | None, typer.Option(metavar="QUANTITY", help="Print why a quantity is what it is.")] = None,
    month: Annotated[int | None, typer.Option(help="Month that --explain looks at; by default the last.")] = None,
    is_whole: Whole = False,
    draws: Annotated[int, typer.Option(help="Monte Carlo draws: more of them take longer and steady the tails.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Seed of the draws: equal inputs and seed give equal results.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Project storage, network and compute from a scenario, a dataset and its measurements."""
    import toolkit
    from toolkit.terminal import show_projection

    profile = toolkit.open_dataset(dataset) if dataset else None
    projection = toolkit.project(scenario, profile, measurements, calibration=calibration, draws=draws, seed=seed)
    if out is not None:
        projection.save(out)
    if explain is not None:
        found = projection.explain(explain, month)
        at_month = projection.months[-1] if month is None else month
        print_json({"quantity": explain, "month": at_month} | found.to_dict()) if as_json else print_line(str(found))
    elif as_json:
        print_json(projection.to_dict())
    else:
        show_projection(projection, is_whole=is_whole)


@app.command()
def report(
    places: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Datasets; .json files of measurements, projections, back-tests, reports."),
    ],
    out: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="File to write, may be repeated; its ending says what: .html (the page), .pdf, .json (facts to make it "
            "from again), .parquet or .xlsx (numbers). By default report.html.",
        ),
    ] = None,
    figures: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write every figure into this folder.")] = None,
    figure_format: Annotated[str, typer.Option("--format", help="Pictures of --figures: svg or png.")] = "svg",
    paper: Annotated[str, typer.Option(help="What a PDF is printed on: A4 or Letter.")] = "A4",
    as_json: AsJson = False,
) -> None:
    """Write one self-contained page about datasets, measurements and projections; or its PDF, facts, numbers, figures."""
    import toolkit

    targets = out or ([] if figures is not None else [Path("report.html")])
    toolkit.report(*places, out=targets, figures=figures, figure_format=figure_format, paper=paper)
    if as_json:
        print_json({"written": [str(target) for target in targets], "figures": None if figures is None else str(figures)})
        return
    for written in [*targets, *([figures] if figures is not None else [])]:
        print_line(str(written))


@app.command()
def verify(
    dataset: Annotated[str, typer.Argument(help="A dataset made by curate.")],
    repair: Annotated[bool, typer.Option("--repair", help="Remove what no version refers to, and staging.")] = False,
    images: Annotated[bool, typer.Option("--images", help="Also hash every image, not the files alone.")] = False,
    version: Annotated[int | None, typer.Option(help="Version to check; by default the newest.")] = None,
    all_versions: Annotated[bool, typer.Option("--all-versions", help="Check every version that can be opened.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a dataset's files, hashes, counts and schema; exit 1 if anything is damaged."""
    import dataclasses

    from toolkit.dataset.verify import verify as verify_dataset

    result = verify_dataset(dataset, version=version, all_versions=all_versions, repair=repair, images=images)
    if as_json:
        print_json(dataclasses.asdict(result))
    else:
        for problem in result.problems:
            print_line(problem)
        hashed = f", {result.checked_image_count:,} images hashed" if images else ""
        of_versions = f" of {result.checked_version_count:,} versions" if all_versions else ""
        print_line(f"{result.checked_file_count:,} files{of_versions} checked{hashed}, {len(result.problems)} problems")
    if result.problems:
        raise typer.Exit(1)


@app.command()
def show(
    path: Annotated[str, typer.Argument(help="A dataset, or a .json file of measurements or a projection.")],
    is_whole: Whole = False,
    as_json: AsJson = False,
) -> None:
    """Show a dataset, measurements or a projection on one screen."""
    from toolkit.cli.showing import show_any

    found = show_any(path, draw=not as_json, is_whole=is_whole)
    if as_json:
        print_json(found.to_dict())
