"""Which image each annotation belongs to, by the names that sidecars have and tables give; and what belongs to none."""

from __future__ import annotations

from typing import Final

import polars as pl

from toolkit.curation.frames import FRAME_SUFFIX

__all__ = ["matched_images", "unannotated_images", "unmatched_lines", "without_known"]

_QUIET: Final = frozenset({"document", "class", "caption"})
"""Kinds that any text or JSON file looks like: without an image, they count only beside others that have one."""

_ENDING: Final = r"\.[^./!#]*(#\d+)?$"
_ENDINGS: Final = r"\.[^/!#]*(#\d+)?$"


def matched_images(rows: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return ``line``, ``row`` of each annotation and its image.

    A sidecar belongs to the images of its own stem, a table's line to the source it names; what finds none so belongs to
    the one image whose path ends in the name that is given.
    """
    if lines.is_empty():
        return pl.DataFrame(schema={"line": lines.schema["line"], "row": rows.schema["row"]})
    rows = rows.select(
        "row", source=pl.col("source").str.replace(FRAME_SUFFIX, "")
    )  # what is said of a file holds for its frames
    beside = _beside(rows, lines)
    left = lines.join(beside, on="line", how="anti").filter(pl.col("name").is_not_null()).select("line", "name", "target")
    exact = left.join(rows.select("row", target="source"), on="target").select("line", "row")
    left = left.join(exact, on="line", how="anti").with_columns(base=_base("name"))
    if left.is_empty():
        return pl.concat([beside, exact])
    tail = pl.col("name").str.strip_prefix("../")
    ends = pl.col("source").str.ends_with("/" + tail) | pl.col("source").str.ends_with("!" + tail)
    near = left.join(rows.select("row", "source", base=_base("source")), on="base").filter(ends)
    only = near.filter(pl.col("source").n_unique().over("line") == 1).select("line", "row")
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
        ``file``, ``name``, ``target``, ``kind``, ``stems`` of annotations without an image; and of text and JSON that speaks
        of no image and lies where none of its kind does, such as a README.
    """
    target = pl.coalesce("target", pl.col("stems").list.first())
    marked = lines.select("line", "file", "name", "kind", "stems", folder=_folder("file"), target=target)
    is_quiet = pl.col("kind").is_in(_QUIET)
    company = marked.join(pairs, on="line", how="semi").select("folder", "kind").unique()
    without = marked.join(pairs, on="line", how="anti")
    quiet = without.filter(is_quiet)
    meant = quiet.join(company, on=["folder", "kind"], how="semi")
    strays = quiet.join(company, on=["folder", "kind"], how="anti").sort("line")
    unmatched = pl.concat([without.filter(~is_quiet), meant]).sort("line")
    columns = ("file", "name", "target", "kind", "stems")
    return unmatched.select(columns), strays.select(columns)


def unannotated_images(rows: pl.DataFrame, lines: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return ``source`` of images that no annotation file speaks of, in folders where one speaks of others."""
    from_files = lines.filter(pl.col("file") != pl.col("target").fill_null("")).select("line")
    if from_files.is_empty():
        return rows.select("source").clear()
    placed = rows.select("row", "source", folder=_folder("source"))
    spoken = pairs.join(from_files, on="line", how="semi").select("row").unique()
    folders = placed.join(spoken, on="row", how="semi").select("folder").unique()
    return placed.join(spoken, on="row", how="anti").join(folders, on="folder", how="semi").sort("row").select("source")


def without_known(unmatched: pl.DataFrame, sources: pl.LazyFrame) -> pl.DataFrame:
    """Return the annotations without an image that belong to none of the sources that were read before either.

    Parameters
    ----------
    unmatched : pl.DataFrame
        As of ``unmatched_lines``.
    sources : pl.LazyFrame
        ``source`` of everything that was read before; only what may fit is held.
    """
    if unmatched.is_empty():
        return unmatched
    lines = unmatched.with_row_index("line").with_columns(base=_base("name"))
    stems = pl.concat([lines.select(key="target"), lines.select(key="stems").explode("key")]).unique().lazy()
    source = pl.col("source")
    sources = sources.select(source.str.replace(FRAME_SUFFIX, ""))
    ways = [source, source.str.replace(_ENDING, "$1"), source.str.replace(_ENDINGS, "$1"), _base("source")]
    wanted = [stems, stems, stems, lines.select(key="base").unique().lazy()]
    fitting = [
        sources.select("source", key=way).join(keys.drop_nulls(), on="key", how="semi").select("source")
        for way, keys in zip(ways, wanted, strict=True)
    ]
    known = pl.concat(fitting).unique().collect(engine="streaming").sort("source").with_row_index("row")
    pairs = matched_images(known, lines)
    return lines.join(pairs, on="line", how="anti").drop("line", "base")


def _folder(column: str) -> pl.Expr:
    return pl.col(column).str.extract(r"^(.*[/!])", 1)


def _base(column: str) -> pl.Expr:
    return pl.col(column).str.extract(r"([^/!]+)$")
