"""What was refused: listed, shown, written out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from toolkit.cli.app import AsJson, app, print_json, print_line, visible

if TYPE_CHECKING:
    import polars as pl

__all__ = ["export", "list_refusals", "quarantine", "show"]

quarantine = typer.Typer(help="List, show, export and try again what was refused.", no_args_is_help=True)
app.add_typer(quarantine, name="quarantine")

_Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="A dataset made by curate.")]
_Reason = Annotated[str | None, typer.Option(help="Only refusals of this code, for example truncated; see docs/reasons.md.")]


@quarantine.command("list")
def list_refusals(
    dataset: _Dataset,
    reason: _Reason = None,
    limit: Annotated[int, typer.Option(min=0, help="Show at most so many; 0 shows all.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was refused and why."""
    from toolkit.dataset.quarantine import counts, refusals
    from toolkit.dataset.reading import open_dataset

    opened = open_dataset(dataset)
    found = refusals(opened, reason, limit or None)
    tally = counts(opened)
    total = int(tally["count"].sum() if reason is None else tally.filter(reason=reason)["count"].sum())
    if as_json:
        print_json({"count": total, "by_reason": dict(tally.select("reason", "count").iter_rows()), "refusals": found.to_dicts()})
        return
    for row in found.iter_rows(named=True):
        print_line(visible(f"{row['reason']:<20} {row['source']}: {row['message']}"))
    rest = f", {total - found.height:,} of them not shown (--limit 0 shows all)" if total > found.height else ""
    print_line(f"{total:,} refused{rest}")


@quarantine.command()
def show(
    dataset: _Dataset,
    key: Annotated[str, typer.Argument(metavar="SOURCE_OR_SHA", help="A source as listed, or 8 or more digits of its sha256.")],
    as_json: AsJson = False,
) -> None:
    """Show all that is known of one refusal, and what to do about it."""
    from toolkit.dataset.quarantine import find

    found = find(dataset, key)
    if as_json:
        print_json({"refusals": [row | _advice(row["reason"]) for row in found.to_dicts()]})
        return
    print_line("\n\n".join(_card(row) for row in _rows(found)))


@quarantine.command()
def export(
    dataset: _Dataset,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder to write to: new or empty.")],
    reason: _Reason = None,
    as_json: AsJson = False,
) -> None:
    """Write the original bytes of what was refused to a folder, with a manifest beside them."""
    from toolkit.dataset.quarantine import export as write_out
    from toolkit.units import show as shown

    result = write_out(dataset, folder, reason)
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    size = shown(result.written_bytes, "bytes")
    print_line(f"{result.file_count:,} files ({size}) in {visible(result.folder)}, listed in manifest.jsonl")
    if result.without_bytes_count:
        print_line(f"{result.without_bytes_count:,} have no bytes stored: past the recipe's quarantine_bytes, or never read")


def _rows(found: pl.DataFrame) -> list[dict[str, Any]]:
    return [{name: "" if value is None else value for name, value in row.items()} for row in found.to_dicts()]


def _card(row: dict[str, Any]) -> str:
    """Return a refusal as a block of lines."""
    lines = {
        name: _WORDS.get(value, value) if isinstance(value, bool) else value
        for name, value in (row | _advice(row["reason"])).items()
    }
    return "\n".join(visible(f"{name.replace('_', ' '):<14} {value}") for name, value in lines.items())


_WORDS: Final = {True: "yes", False: "no"}


def _advice(reason: str) -> dict[str, Any]:
    from toolkit.curation.reasons import REASONS

    known = REASONS.get(reason)
    return {} if known is None else {"advice": known.advice, "is_retryable": known.is_retryable}
