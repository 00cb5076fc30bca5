"""``toolkit.report``: subjects written as what a file's ending asks for: a page, a PDF, facts, numbers; figures as pictures."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import UsageError
from toolkit.reporting.browser import browser_path, print_pdf
from toolkit.reporting.evidence import Gallery
from toolkit.reporting.keeping import keep
from toolkit.reporting.numbers import numbers, workbook
from toolkit.reporting.page import charts_of, render
from toolkit.reporting.pictures import PICTURE_FORMATS, draw_pictures
from toolkit.reporting.subjects import Subjects, subjects_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["report"]


def report(
    *subjects: Any,
    out: str | Path | Sequence[str | Path] | None = None,
    figures: str | Path | None = None,
    figure_format: str = "svg",
    paper: str = "A4",
) -> Path:
    """Write a report about the subjects; return the path of the first thing written.

    Parameters
    ----------
    *subjects : Dataset, DatasetProfile, MeasurementSet, Projection, Backtest, str or Path
        What to report on. A dataset's folder brings its newest measurements along; the facts of a report (``.json``) give the
        same report again.
    out : str, Path or a sequence of them, optional
        The files to write. ``.html`` is one self-contained page; ``.pdf`` the same page printed by a browser of this machine;
        ``.json`` the facts, from which the page can be made again; ``.parquet`` all numbers as one table; ``.xlsx`` a workbook
        (needs ``tonnage[xlsx]``).
    figures : str or Path, optional
        A folder to write every figure to, as a picture drawn by that browser.
    figure_format : str
        ``svg`` or ``png``.
    paper : str
        What a PDF is printed on: ``A4`` or ``Letter``.

    Raises
    ------
    UsageError
        If nothing was given, something that no report can be made of, or a file whose ending is none of these.
    MissingError
        If a path is not there.
    ExtraError
        If a browser, or the writer of workbooks, is needed and not installed.
    """
    targets = [Path(one) for one in ([out] if isinstance(out, str | Path) else out or [])]
    _check(targets, figures, figure_format, paper)
    found = subjects_of(subjects, Gallery())
    for target in targets:
        ending = target.suffix.lower()
        _write(target, _MAKERS[ending](found) if ending in _MAKERS else _paper(found, target.parent, paper))
    if figures is None:
        return targets[0]
    folder = Path(figures)
    folder.mkdir(parents=True, exist_ok=True)
    for name, payload in draw_pictures(charts_of(found), figure_format, folder).items():
        _write(folder / f"{name}.{figure_format}", payload)
    return targets[0] if targets else folder


def _check(targets: Sequence[Path], figures: str | Path | None, figure_format: str, paper: str) -> None:
    """Refuse what cannot be written before any work is done for it."""
    if not targets and figures is None:
        raise UsageError("a report needs a file to be written to, such as report.html, or a folder for its figures")
    for target in targets:
        if target.suffix.lower() not in _ENDINGS:
            raise UsageError(f"'{target}' does not end in {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}")
        if target.is_dir():
            raise UsageError(f"'{target}' is a folder; name a file in it, such as '{target / f'report{target.suffix}'}'")
    if figure_format not in PICTURE_FORMATS:
        raise UsageError(f"figures are written as {' or '.join(PICTURE_FORMATS)}, not '{figure_format}'")
    if paper not in _PAPERS:
        raise UsageError(f"a PDF is printed on {' or '.join(_PAPERS)}, not '{paper}'")
    if figures is not None and Path(figures).is_file():
        raise UsageError(f"'{figures}' is a file; figures need a folder")
    if figures is not None or any(target.suffix.lower() == ".pdf" for target in targets):
        browser_path()


def _page(subjects: Subjects) -> bytes:
    return _encoded(render(subjects))


def _paper(subjects: Subjects, near: Path, paper: str) -> bytes:
    near.mkdir(parents=True, exist_ok=True)
    return print_pdf(render(subjects, packed=False, paper=paper), near)


def _facts(subjects: Subjects) -> bytes:
    return _encoded(json.dumps(keep(subjects), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")


def _table(subjects: Subjects) -> bytes:
    held = io.BytesIO()
    numbers(subjects).write_parquet(held)
    return held.getvalue()


_MAKERS: Final[Mapping[str, Callable[[Subjects], bytes]]] = {
    ".html": _page, ".json": _facts, ".parquet": _table, ".xlsx": workbook,
}  # fmt: skip
_ENDINGS: Final = (".html", ".pdf", *list(_MAKERS)[1:])
_PAPERS: Final = ("A4", "Letter")
"""What a PDF can be printed on."""


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", errors="replace")  # a lone surrogate, of a file's name, is no text


def _write(target: Path, payload: bytes) -> None:
    """Write a file whole: a reader sees what was there before, or the new one, never half of one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.half")
    half.write_bytes(payload)
    os.replace(half, target)  # noqa: PTH105  # os.replace overwrites on every system
