"""Which image each annotation belongs to, by the names that sidecars have and tables give; and what belongs to none."""

from __future__ import annotations

from typing import Final

import polars as pl

__all__ = ["matched_images", "unmatched_lines"]

_QUIET: Final = frozenset({"document", "class", "caption"})
"""Kinds that any text or JSON file looks like: without an image, they count only beside others that have one."""

_ENDING: Final = r"\.[^./!#]*(#\d+)?$"
_ENDINGS: Final = r"\.[^/!#]*(#\d+)?$"


def matched_images(rows: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return ``line``, ``row`` of each annotation and its image.

    A sidecar belongs to the images of its own stem, a table's line to the source it names; what finds none so belongs to
    the one image whose path ends in the name that is given.
    """
    beside = _beside(rows, lines)
    left = lines.join(beside, on="line", how="anti").filter(pl.col("name").is_not_null()).select("line", "name", "target")
    exact = left.join(rows.select("row", target="source"), on="target").select("line", "row")
    left = left.join(exact, on="line", how="anti").with_columns(base=_base("name"))
    if left.is_empty():
        return pl.concat([beside, exact])
    tail = pl.col("name").str.strip_prefix("../")
    ends = pl.col("source").str.ends_with("/" + tail) | pl.col("source").str.ends_with("!" + tail)
    near = left.join(rows.select("row", "source", base=_base("source")), on="base").filter(ends)
    only = near.filter(pl.len().over("line") == 1).select("line", "row")
    return pl.concat([beside, exact, only])


def _beside(rows: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return ``line``, ``row`` of sidecars: of the first of their stems that is an image's, with every image of that stem.

    The stem of ``v1.0.jpg`` is ``v1.0``. In an archive, a sidecar without a dot of its own may also stand for all images
    that have its name before their first dot, as WebDataset groups them.
    """
    sidecars = lines.filter(pl.col("stems").list.len() > 0)
    if sidecars.is_empty():
        return pl.DataFrame(schema={"line": lines.schema["line"], "row": rows.schema["row"]})
    source = pl.col("source")
    stems = pl.concat(
        [
            rows.select("row", stem=source.str.replace(_ENDING, "$1"), way=0),
            rows.select("row", stem="source", way=1),
            rows.filter(source.str.contains("!", literal=True)).select("row", stem=source.str.replace(_ENDINGS, "$1"), way=2),
        ]
    )
    tried = sidecars.select("line", stem="stems").explode("stem").with_columns(turn=pl.int_range(pl.len()).over("line"))
    found = tried.join(stems, on="stem").filter((pl.col("turn") == 0) | (pl.col("way") == 0))
    order = pl.col("turn") * 4 + pl.col("way")
    return found.filter(order == order.min().over("line")).select("line", "row").unique(maintain_order=True)


def unmatched_lines(lines: pl.DataFrame, pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the annotations without an image, and the files that turned out to be none.

    Parameters
    ----------
    lines, pairs : pl.DataFrame
        All annotations by ``line``; ``line`` and ``row`` of those that have an image.

    Returns
    -------
    (pl.DataFrame, pl.DataFrame)
        ``file``, ``name``, ``target``, ``kind`` of annotations without an image; ``file`` of text and JSON that speaks of
        no image and lies where none of its kind does, such as a README.
    """
    folder = pl.col("file").str.extract(r"^(.*[/!])", 1)
    target = pl.coalesce("target", pl.col("stems").list.first())
    marked = lines.select("line", "file", "name", "kind", folder=folder, target=target)
    is_quiet = pl.col("kind").is_in(_QUIET)
    company = marked.join(pairs, on="line", how="semi").select("folder", "kind").unique()
    without = marked.join(pairs, on="line", how="anti")
    quiet = without.filter(is_quiet)
    meant = quiet.join(company, on=["folder", "kind"], how="semi")
    strays = quiet.join(company, on=["folder", "kind"], how="anti").select("file").unique(maintain_order=True)
    return pl.concat([without.filter(~is_quiet), meant]).sort("line").select("file", "name", "target", "kind"), strays


def _base(column: str) -> pl.Expr:
    return pl.col(column).str.extract(r"([^/!]+)$")
