"""The ``tonnage`` command: one command per verb, thin. Parse, call the verb, show what came out.

The only place that catches ``TonnageError``. Exit codes: 0 done, 1 a fault, 2 wrong usage, 3 more refused than the recipe
allows, 130 Ctrl-C. Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.exceptions

from toolkit import __version__
from toolkit.errors import TonnageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

_INTERRUPTED = 130
"""What a command ends with after Ctrl-C, also when it kept what it had done by then."""

app = typer.Typer(
    name="tonnage",
    help="From raw images to a storage, network and compute plan: curate, measure, project, report.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Scheduler = Annotated[
    str | None,
    typer.Option(help="Address of an existing Dask scheduler (tcp://host:8786); by default a LocalCluster is started."),
]


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to standard error.")] = False,
) -> None:
    """From raw images to a storage, network and compute plan: curate, measure, project, report."""
    if version:
        _print(f"tonnage {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        _print(context.get_help())
        raise typer.Exit(2)
    handler = logging.StreamHandler()
    handler.setLevel(logging.INFO if verbose else logging.CRITICAL)  # what users must know is raised, not logged
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler], format="%(name)s: %(message)s")


@app.command()
def curate(
    places: Annotated[
        list[str], typer.Argument(metavar="SOURCE... DATASET", help="Folders, archives and tables; last, where the dataset lies.")
    ],
    recipe: Annotated[
        str | None, typer.Option(help="YAML file with a recipe; by default only exact copies are left out.")
    ] = None,
    scheduler: Scheduler = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes of the LocalCluster.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Turn raw images into a clean, versioned dataset; run again to add what is new."""
    if len(places) < 2:
        raise UsageError("curate needs at least one SOURCE and, last, the DATASET: tonnage curate photos/ my-dataset")
    import toolkit
    from toolkit.terminal import progress_bars, show_profile

    with progress_bars(quiet=quiet) as progress:
        dataset = toolkit.curate(places[:-1], places[-1], recipe, scheduler, workers=workers, progress=progress)
    profile = dataset.profile
    _print_json(profile.to_dict()) if as_json else show_profile(profile)


@app.command()
def measure(
    dataset: Annotated[str, typer.Argument(help="A dataset made by curate.")],
    plan: Annotated[str, typer.Option(help="quick (under a minute), standard or thorough.")] = "quick",
    only: Annotated[str | None, typer.Option(help="Families to measure, comma separated: read,decode,loader,transfer.")] = None,
    scheduler: Scheduler = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write; by default DATASET/measurements/<UTC>.json.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measure read, decode, loader and transfer rates of a dataset here, each beside its ceiling."""
    import toolkit
    from toolkit.terminal import progress_bars, show_measurements

    with progress_bars(quiet=quiet) as progress:
        measured = toolkit.measure(
            dataset, plan, only.split(",") if only else None, scheduler, out=str(out) if out else None, progress=progress
        )
    _print_json(measured.to_dict()) if as_json else show_measurements(measured)
    if measured.environment.facts.get("is_interrupted"):
        raise typer.Exit(_INTERRUPTED)


@app.command()
def project(
    scenario: Annotated[str, typer.Argument(help="YAML or JSON file with a scenario.")],
    dataset: Annotated[str | None, typer.Option(help="Dataset whose profile (and newest measurements) are the start.")] = None,
    measurements: Annotated[str | None, typer.Option(help="Measurements to use; by default the newest of the dataset.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write the projection to.")] = None,
    explain: Annotated[str | None, typer.Option(metavar="QUANTITY", help="Print why a quantity is what it is.")] = None,
    month: Annotated[int | None, typer.Option(help="Month that --explain looks at; by default the last.")] = None,
    as_json: AsJson = False,
) -> None:
    """Project storage, network and compute from a scenario, a dataset and its measurements."""
    import toolkit
    from toolkit.terminal import show_projection

    profile = toolkit.open_dataset(dataset) if dataset else None
    projection = toolkit.project(scenario, profile, measurements)
    if out is not None:
        projection.save(out)
    if explain is not None:
        _print(str(projection.explain(explain, month)))
    elif as_json:
        _print_json(projection.to_dict())
    else:
        show_projection(projection)


@app.command()
def report(
    places: Annotated[list[str], typer.Argument(metavar="PATH...", help="Datasets, measurements (.json), projections (.json).")],
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
) -> None:
    """Write one self-contained HTML page about datasets, measurements and projections."""
    import toolkit

    path = toolkit.report(*places, out=out)
    _print(str(path))


@app.command()
def verify(
    dataset: Annotated[str, typer.Argument(help="A dataset made by curate.")],
    repair: Annotated[bool, typer.Option("--repair", help="Remove what no version refers to, and staging.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a dataset's files, hashes, counts and schema; exit 1 if anything is damaged."""
    import dataclasses

    from toolkit.dataset.verify import verify as verify_dataset

    result = verify_dataset(dataset, repair=repair)
    if as_json:
        _print_json(dataclasses.asdict(result))
    else:
        for problem in result.problems:
            _print(problem)
        _print(f"{result.checked_file_count:,} files checked, {len(result.problems)} problems")
    if result.problems:
        raise typer.Exit(1)


@app.command()
def show(
    path: Annotated[str, typer.Argument(help="A dataset, or a .json file of measurements or a projection.")],
    as_json: AsJson = False,
) -> None:
    """Show a dataset, measurements or a projection on one screen."""
    from toolkit.terminal import show_any

    found = show_any(path, draw=not as_json)
    if as_json:
        _print_json(found.to_dict())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: every error is one sentence on standard error, without a traceback."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    try:
        result = app(list(arguments) if arguments is not None else None, prog_name="tonnage", standalone_mode=False)
        return int(result) if isinstance(result, int) else 0
    except typer.exceptions.TyperException as fault:
        return _usage(fault)
    except TonnageError as fault:
        _complain(str(fault))
        return fault.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _complain("stopped", prefix="")
        return _INTERRUPTED
    except BrokenPipeError:
        return 0
    except OSError as fault:
        _complain(f"{fault.strerror or fault}: '{fault.filename}'" if fault.filename else str(fault))
        return 1


def _usage(fault: typer.exceptions.TyperException) -> int:
    """Complain about a command line that cannot be parsed, in one sentence."""
    context = getattr(fault, "ctx", None)
    name = getattr(context, "command_path", "tonnage")
    message = getattr(fault, "format_message", fault.__str__)()
    _complain(f"{str(message).rstrip('.')}. See '{name} --help'.")
    return 2


def _complain(sentence: str, prefix: str = "tonnage: ") -> None:
    sys.stderr.write(f"{prefix}{sentence}\n")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _print_json(facts: dict[str, Any]) -> None:
    _print(json.dumps(facts, ensure_ascii=False))
