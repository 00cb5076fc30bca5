"""A dataset over time: its versions, what changed between two, images taken out, shards merged, refusals tried again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from toolkit.cli.app import AsJson, Quiet, Scheduler, app, print_json, print_line, print_notes, visible
from toolkit.cli.quarantine import quarantine

__all__ = ["compact", "diff", "remove", "retry", "upgrade", "versions"]

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="A dataset made by curate.")]
Workers = Annotated[int | None, typer.Option(help="Worker processes of the LocalCluster.")]

_SHOWN = 20
"""Images listed on a terminal; --json lists them all."""


@app.command()
def versions(dataset: DatasetArgument, as_json: AsJson = False) -> None:
    """List the versions of a dataset: when, what kind, how many images."""
    import toolkit
    from toolkit.units import show

    found = toolkit.open_dataset(dataset).versions()
    if as_json:
        print_json({"versions": found.to_dicts()})
        return
    for row in found.iter_rows(named=True):
        size = show(row["image_bytes"], "bytes")
        print_line(
            f"v{row['version']:<4} {row['committed_at'][:19]}  {row['kind']:<9} {row['image_count']:>12,} images  {size:>9}  "
            f"{row['shard_count']:,} shards"
        )


@app.command()
def diff(
    dataset: DatasetArgument,
    old: Annotated[int, typer.Argument(help="The version compared with.")],
    new: Annotated[int | None, typer.Argument(help="The version compared; by default the newest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions: images added, removed, or labelled, grouped or split otherwise."""
    from toolkit.dataset.diffing import diff as compare

    found = compare(dataset, old, new)
    if as_json:
        print_json(found.to_dict())
        return
    print_line(str(found))
    for sign, frame in (("+", found.added), ("-", found.removed)):
        for source, image_id in frame.select("source", "image_id").head(_SHOWN).iter_rows():
            print_line(f"  {sign} {visible(source)}  {image_id}")
        if len(frame) > _SHOWN:
            print_line(f"  {sign} and {len(frame) - _SHOWN:,} more (all of them with --json)")
    for source, columns in found.changed.select("source", "columns").head(_SHOWN).iter_rows():
        print_line(f"  ~ {visible(source)}  {', '.join(columns)}")
    for state, reason, before, after in found.states.iter_rows():
        print_line(f"  {state}{f' ({reason})' if reason else ''}: {before:,} -> {after:,}")


@app.command()
def remove(  # noqa: PLR0917 -- the options of a command
    dataset: DatasetArgument,
    where: Annotated[
        str | None, typer.Option(help="SQL condition over the catalog's columns, such as \"source LIKE 'crawl/%'\".")
    ] = None,
    superseded: Annotated[bool, typer.Option("--superseded", help="What its source has replaced by other bytes since.")] = False,
    vanished_from: Annotated[
        list[str] | None, typer.Option(metavar="SOURCE", help="What is no longer found in this source; may be repeated.")
    ] = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Leave no byte of them on disk: all tables rewritten, earlier versions deleted.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go, and change nothing.")] = False,
    scheduler: Scheduler = None,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Take images out of a dataset, with every copy of them, as a new version."""
    import toolkit
    from toolkit.terminal import progress_bars

    named: dict[str, Any] = {"where": where, "superseded": superseded, "vanished_from": vanished_from or ()}
    if dry_run:
        _list_removable(dataset, named, as_json=as_json)
        return
    with progress_bars(quiet=quiet) as progress:
        removed = toolkit.remove(dataset, **named, purge=purge, scheduler=scheduler, workers=workers, progress=progress)
    _tell(removed, "removed_image_count", "images removed", as_json=as_json)


def _list_removable(dataset: str, named: dict[str, Any], *, as_json: bool) -> None:
    from toolkit.curation.revising import removable

    rows = removable(dataset, **named)
    if as_json:
        print_json({"occurrences": rows.to_dicts()})
        return
    for source, state in rows.select("source", "state").head(_SHOWN).iter_rows():
        print_line(f"  {state:<12} {visible(source)}")
    rest = f" ({len(rows) - _SHOWN:,} not shown; all of them with --json)" if len(rows) > _SHOWN else ""
    kept_count = int((rows["state"] == "kept").sum())
    print_line(f"{kept_count:,} images, {len(rows):,} occurrences would be removed{rest}")


@app.command()
def compact(
    dataset: DatasetArgument, scheduler: Scheduler = None, workers: Workers = None, quiet: Quiet = False, as_json: AsJson = False
) -> None:
    """Merge the small shards of a dataset, as a new version with the same images."""
    import toolkit
    from toolkit.terminal import progress_bars

    before = toolkit.open_dataset(dataset)
    with progress_bars(quiet=quiet) as progress:
        compacted = toolkit.compact(before, scheduler=scheduler, workers=workers, progress=progress)
    if compacted.version == before.version and not as_json:
        print_line(f"nothing to merge: {before!r}")
        return
    _tell(compacted, "compacted_shard_count", "small shards merged", as_json=as_json)


@app.command()
def upgrade(dataset: DatasetArgument, as_json: AsJson = False) -> None:
    """Give a dataset of an earlier release the columns of this one; no file is rewritten."""
    import toolkit
    from toolkit.curation.revising import upgrade as upgraded

    before = toolkit.open_dataset(dataset)
    after = upgraded(before)
    if as_json:
        print_json({"version": after.version, "schema_version": after.state.schema_version})
    elif after.version == before.version:
        print_line(f"{before!r} has the columns of this release already")
    else:
        print_line(f"schema version {before.state.schema_version} -> {after.state.schema_version}: {after!r}")


def _tell(dataset: object, count: str, what: str, *, as_json: bool) -> None:
    """Show a new version and the count that made it."""
    from toolkit.dataset.reading import Dataset

    assert isinstance(dataset, Dataset)
    if as_json:
        print_json(dataset.profile.to_dict())
    else:
        print_line(f"{int(dataset.state.curation[count]):,} {what}: {dataset!r}")


@quarantine.command()
def retry(
    dataset: DatasetArgument,
    recipe: Annotated[str | None, typer.Option(help="YAML file with a recipe of other limits; by default the last one.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only refusals of this code, for example codec_missing.")] = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Examine what was refused again, and let in what is sound now as a new version."""
    import toolkit
    from toolkit.terminal import progress_bars

    before = toolkit.open_dataset(dataset)
    with progress_bars(quiet=quiet) as progress:
        tried = toolkit.retry(before, recipe, reason=reason, scheduler=scheduler, workers=workers, progress=progress)
    if tried.version == before.version and not as_json:
        print_line("everything is refused as before")
        return
    _tell(tried, "entered_image_count", "images let in", as_json=as_json)
    if not as_json:
        print_notes(tried)
