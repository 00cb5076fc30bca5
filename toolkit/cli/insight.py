"""What the images and labels of a dataset are like: odd images by issue."""

from __future__ import annotations

from typing import Annotated

import typer

from toolkit.cli.app import AsJson, app, print_json, print_line
from toolkit.errors import UsageError

__all__ = ["issues"]

_Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="A dataset made by curate.")]


@app.command()
def issues(
    dataset: _Dataset,
    issue: Annotated[str | None, typer.Option(help="Only this one, for example blurry.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Show at most so many; 0 shows all.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List images that are dark, light, blurry, of odd size or shape, nearly empty, framed, gray or doubled."""
    import polars as pl

    from toolkit.dataset.issues import ISSUES
    from toolkit.dataset.issues import issues as found_issues
    from toolkit.dataset.reading import open_dataset

    if issue is not None and issue not in ISSUES:
        raise UsageError(f"there is no issue '{issue}'; the issues are {', '.join(ISSUES)}")
    found = found_issues(open_dataset(dataset))
    chosen = found if issue is None else found.filter(pl.col("issue") == issue)
    counts = dict(chosen.group_by("issue").len().sort("issue").collect(engine="streaming").iter_rows())
    shown = (chosen.head(limit) if limit else chosen).collect(engine="streaming")
    if as_json:
        print_json({"counts": counts, "issues": shown.to_dicts()})
        return
    for row in shown.iter_rows(named=True):
        print_line(f"{row['issue']:<16} {row['score']:>10.4g}  {_shown(row['source'])}")
    total = sum(counts.values())
    for name, count in counts.items():
        print_line(f"{count:>10,} {name}: {ISSUES[name]}")
    rest = f", {total - len(shown):,} of them not shown (--limit 0 shows all)" if total > len(shown) else ""
    print_line(f"{total:,} found{rest}")


def _shown(text: str) -> str:
    """Return text without what would move a terminal's cursor: names come from anywhere."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
