"""What did not fit together, listed by name: annotations without image and the like, copies whose labels differ, bridges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from toolkit.cli.app import AsJson, app, print_json, print_line, visible

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["findings"]


@app.command()
def findings(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset made by curate.")],
    name: Annotated[str, typer.Argument(metavar="LIST", help="unmatched, conflicts, classes or bridges.")] = "unmatched",
    limit: Annotated[int, typer.Option(min=0, help="Show at most so many; 0 shows all.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what did not fit: annotations without image, images without annotation, copies of other labels, bridges of splits."""
    from toolkit.dataset.findings import standing
    from toolkit.dataset.reading import open_dataset

    opened = open_dataset(dataset)
    found = standing(opened, name, opened.findings(name))
    first = found.head(limit) if limit else found
    if as_json:
        print_json({"list": name, "count": len(found), "findings": first.to_dicts()})
        return
    for row in first.iter_rows(named=True):
        print_line(visible(_LINES[name](row)))
    rest = f", {len(found) - len(first):,} of them not shown (--limit 0 shows all)" if len(found) > len(first) else ""
    print_line(f"{len(found):,} found{rest}")


def _problem(row: dict[str, str | None]) -> str:
    places = " -> ".join(place for place in (row["file"], row["target"]) if place)
    return f"{row['problem']:<16} {places}" + (f"  ({row['kind']})" if row["kind"] else "")


def _conflict(row: dict[str, object]) -> str:
    return f"{row['image_id']}: kept as {_names(row['kept_labels'])}, {_names(row['labels'])} in {row['source']}"


def _names(labels: object) -> str:
    return ", ".join(map(str, labels)) if isinstance(labels, list) and labels else "(no label)"


def _class(row: dict[str, object]) -> str:
    return f"{row['file']}: {row['column']} {row['number']} is {row['label']}"


def _bridge(row: dict[str, object]) -> str:
    place = f"in {row['split']}" if row["is_kept"] else f"left out of {row['split']}"
    return f"{row['image_id']}: {place}, near to group {row['other_group']} in {row['other_split']}: {row['source']}"


_LINES: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "unmatched": _problem,
    "conflicts": _conflict,
    "classes": _class,
    "bridges": _bridge,
}
