"""The application that commands register with, the options that they share, and how results reach standard output."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit import __version__

if TYPE_CHECKING:
    from toolkit.dataset.reading import Dataset

__all__ = ["INTERRUPTED", "AsJson", "Quiet", "Scheduler", "app", "print_json", "print_line", "print_notes", "visible"]

INTERRUPTED = 130
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
        print_line(f"tonnage {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print_line(context.get_help())
        raise typer.Exit(2)
    handler = logging.StreamHandler()
    handler.setLevel(logging.INFO if verbose else logging.CRITICAL)  # what users must know is raised, not logged
    if not verbose:
        _show_notices()
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler], format="%(name)s: %(message)s")


def _show_notices() -> None:
    """Have what users should know though nothing failed shown on standard error, as one sentence each."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger("tonnage").handlers = [handler]


def print_line(text: str) -> None:
    """Write a line of the result to standard output."""
    sys.stdout.write(f"{text}\n")


def visible(text: str) -> str:
    r"""Return text without what would move a terminal's cursor or break its line: names come from anywhere.

    Examples
    --------
    >>> visible("a\x1b[31m\nb")
    'a\\x1b[31m\\nb'
    """
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def print_notes(dataset: Dataset) -> None:
    """Write what should be known of a version that decided anew or tried refusals again, a line each."""
    from toolkit.curation.describing import revision_notes

    for note in revision_notes(dataset):
        print_line(note)


def print_json(facts: dict[str, Any]) -> None:
    """Write the result as one line of JSON to standard output."""
    print_line(json.dumps(facts, ensure_ascii=False))
