"""What did not fit together, listed by name: annotations and images without each other, copies whose labels differ."""

from __future__ import annotations

from typing import Annotated

import typer

from toolkit.cli.app import AsJson, app, print_json, print_line

__all__ = ["findings"]


@app.command()
def findings(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset made by curate.")],
    name: Annotated[str, typer.Argument(metavar="LIST", help="unmatched or conflicts.")] = "unmatched",
    limit: Annotated[int, typer.Option(min=0, help="Show at most so many; 0 shows all.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what did not fit together: annotations without image, images without annotation, copies with other labels."""
    from toolkit.dataset.reading import open_dataset

    found = open_dataset(dataset).findings(name)
    shown = found.head(limit) if limit else found
    if as_json:
        print_json({"list": name, "count": len(found), "findings": shown.to_dicts()})
        return
    for row in shown.iter_rows(named=True):
        print_line(_problem(row) if name == "unmatched" else _conflict(row))
    rest = f", {len(found) - len(shown):,} of them not shown (--limit 0 shows all)" if len(found) > len(shown) else ""
    print_line(f"{len(found):,} found{rest}")


def _problem(row: dict[str, str | None]) -> str:
    places = " -> ".join(place for place in (row["file"], row["target"]) if place)
    return f"{row['problem']:<16} {places}" + (f"  ({row['kind']})" if row["kind"] else "")


def _conflict(row: dict[str, object]) -> str:
    return f"{row['image_id']}: kept as {_names(row['kept_labels'])}, {_names(row['labels'])} in {row['source']}"


def _names(labels: object) -> str:
    return ", ".join(map(str, labels)) if isinstance(labels, list) and labels else "(no label)"
