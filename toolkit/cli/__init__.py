"""The ``tonnage`` command: one command per verb, thin. Parse, call the verb, show what came out.

The only place that catches ``TonnageError``. Exit codes: 0 done, 1 a fault, 2 wrong usage, 3 more refused than the recipe
allows, 130 Ctrl-C. Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer
import typer.exceptions

from toolkit.cli import (  # noqa: F401 -- they register their commands
    checks,
    comparing,
    exporting,
    findings,
    insight,
    quarantine,
    scenarios,
    serving,
    verbs,
    versions,
)
from toolkit.cli.app import INTERRUPTED, app, visible
from toolkit.cli.panels import arrange
from toolkit.errors import TonnageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

arrange(app)


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
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except OSError as fault:
        _complain(f"{fault.strerror or fault}: '{fault.filename}'" if fault.filename else _of_disk_or_store(fault))
        return 1


def _of_disk_or_store(fault: OSError) -> str:
    """Return a fault in a sentence: Polars tells that of a store with its causes, a line each."""
    if "object-store error" not in str(fault):
        return str(fault)
    from toolkit.locations import without_secrets

    return without_secrets(fault)


def _usage(fault: typer.exceptions.TyperException) -> int:
    """Complain about a command line that cannot be parsed, in one sentence."""
    context = getattr(fault, "ctx", None)
    name = getattr(context, "command_path", "tonnage")
    message = getattr(fault, "format_message", fault.__str__)()
    if not str(message).strip():  # a group without a command: its help is shown already
        return 2
    _complain(f"{str(message).rstrip('.')}. See '{name} --help'.")
    return 2


def _complain(sentence: str, prefix: str = "tonnage: ") -> None:
    sys.stderr.write(f"{prefix}{visible(sentence)}\n")
