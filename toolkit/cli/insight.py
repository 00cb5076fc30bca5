"""What the images and labels of a dataset are like: odd images by issue, classes by count."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from toolkit.cli.app import AsJson, app, print_json, print_line, visible
from toolkit.errors import UsageError

__all__ = ["issues", "labels"]

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
        print_line(f"{row['issue']:<16} {row['score']:>10.4g}  {visible(row['source'])}")
    total = sum(counts.values())
    for name, count in counts.items():
        print_line(f"{count:>10,} {name}: {ISSUES[name]}")
    rest = f", {total - len(shown):,} of them not shown (--limit 0 shows all)" if total > len(shown) else ""
    print_line(f"{total:,} found{rest}")


@app.command()
def labels(
    dataset: _Dataset,
    limit: Annotated[int, typer.Option(min=0, help="Show at most so many classes; 0 shows all.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Report on labels: images per class and split, imbalance, rare classes, images without a label, copies that differ."""
    from toolkit.dataset.labels import RARE_COUNT, label_report
    from toolkit.dataset.reading import open_dataset
    from toolkit.units import show

    report = label_report(open_dataset(dataset))
    if as_json:
        names = [field.name for field in dataclasses.fields(report)]
        values = {name: getattr(report, name) for name in names}
        print_json({name: value.to_dicts() if hasattr(value, "to_dicts") else value for name, value in values.items()})
        return
    shown = report.classes.head(limit) if limit else report.classes
    splits = [name for name in shown.columns if name.endswith("_count") and name != "image_count"]
    for row in shown.iter_rows(named=True):
        places = ", ".join(f"{row[name]:,} {name.removesuffix('_count')}" for name in splits)
        print_line(f"{row['image_count']:>10,} {visible(row['label'])} ({places})")
    rest = (
        f", {report.class_count - len(shown):,} of them not shown (--limit 0 shows all)"
        if report.class_count > len(shown)
        else ""
    )
    print_line(f"{report.class_count:,} classes{rest}; {len(report.rare):,} of fewer than {RARE_COUNT} images")
    if report.entropy_share is not None:
        print_line(
            f"largest over smallest {report.imbalance_ratio:,.1f}; evenness {show(report.entropy_share, 'share')}, "
            f"as {report.effective_class_count:.1f} equal classes"
        )
    if len(report.empty):
        named = (report.empty.head(limit) if limit else report.empty)["label"].to_list()
        more = f" and {len(report.empty) - len(named):,} more (--limit 0 names all)" if len(report.empty) > len(named) else ""
        print_line(f"{len(report.empty):,} classes have no image: {', '.join(map(visible, named))}{more}")
    for row in report.deviations.head(1).iter_rows(named=True):
        print_line(
            f"furthest off the splits: {visible(row['label'])} has {show(row['split_share'], 'share')} in {row['split']}, "
            f"all images {show(row['wanted_share'], 'share')}"
        )
    print_line(f"{report.unlabelled_count:,} of {report.image_count:,} images have no label")
    print_line(
        f"{len(report.conflicts):,} copies have other labels than the image that is kept (tonnage findings DATASET conflicts)"
    )
