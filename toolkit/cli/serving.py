"""A dataset served for another host to measure the way there."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from toolkit.cli.app import AsJson, app, print_json, print_line

__all__ = ["serve"]


@app.command()
def serve(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset made by curate.")],
    host: Annotated[str, typer.Option(help="Address to answer at; 0.0.0.0 answers at all of this machine's.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for HTTP; TCP and Flight take the next two; 0 takes free ones.")] = 8470,
    token: Annotated[
        str | None,
        typer.Option(help="What clients must show; by default random, and none on 127.0.0.1. Or TONNAGE_TOKEN."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve a dataset's shards by HTTP, TCP and Flight, for 'tonnage measure --to' on another host; Ctrl-C ends it."""
    from toolkit.measurement.serving import serve as serve_dataset

    def ready(facts: dict[str, Any]) -> None:
        print_json(facts) if as_json else _tell(facts)
        sys.stdout.flush()  # whoever reads a pipe waits for it

    serve_dataset(dataset, host, port, token if token is not None else os.environ.get("TONNAGE_TOKEN"), ready=ready)


def _tell(facts: dict[str, Any]) -> None:
    from toolkit.units import show

    ports = facts["ports"]
    where = "THIS-HOST" if facts["host"] in {"0.0.0.0", "::"} else facts["host"]  # noqa: S104 - compared, not bound
    print_line(f"{facts['shard_count']:,} shards of {show(facts['size_bytes'], 'bytes')} at {facts['host']}")
    print_line(f"HTTP {ports['http']}, TCP {ports['tcp']}, Flight {ports['flight']}; not encrypted; Ctrl-C ends it")
    shown = f" --token {facts['token']}" if facts["token"] else ""
    print_line(f"there: tonnage measure DATASET --to {where}:{ports['http']}{shown}")
