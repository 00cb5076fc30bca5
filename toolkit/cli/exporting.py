"""A dataset handed on in the formats of others."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from toolkit.cli.app import AsJson, Quiet, app, print_json, print_line

__all__ = ["export"]


@app.command()
def export(  # noqa: PLR0917 -- the options of a command
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset made by curate.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Folder to write: new or empty.")],
    form: Annotated[str, typer.Option("--as", help="webdataset, mds, imagefolder, files or arrow.")],
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    where: Annotated[str | None, typer.Option(help="SQL condition over the columns, such as \"label = 'dog'\".")] = None,
    version: Annotated[int | None, typer.Option(help="Version to export; by default the newest.")] = None,
    shard_size: Annotated[str, typer.Option(help="Size of shards, for formats that have shards.")] = "256 MiB",
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write images in another format: WebDataset, MosaicML MDS, Hugging Face ImageFolder, plain files, Arrow."""
    import toolkit
    from toolkit.terminal import progress_bars
    from toolkit.units import parse_quantity, show

    shard_bytes = int(parse_quantity(shard_size, "bytes"))
    with progress_bars(quiet=quiet) as progress:
        report = toolkit.export(
            dataset, target, form, version=version, split=split, where=where, shard_bytes=shard_bytes, progress=progress
        )
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    size = show(report.image_bytes, "bytes")
    print_line(f"{report.image_count:,} images ({size}) of v{report.version} in {report.file_count:,} files at {target}")
