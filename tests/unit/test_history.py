"""What a dataset already holds, as a new batch asks for it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from toolkit.curation.history import KnownSources
from toolkit.curation.sources import Item, SourceUnit


class Catalog:
    """A dataset with a catalog alone."""

    def __init__(self, rows: dict[str, Any]) -> None:
        self._rows = pl.DataFrame(rows, schema_overrides={"reason": pl.String, "source_member": pl.String})

    def scan(self, _: str) -> pl.LazyFrame:
        return self._rows.lazy()


def known(count: int) -> KnownSources:
    names = [f"raw/{number}.jpg" for number in range(count)]
    rows = {
        "source": names,
        "source_etag": ["1-1"] * count,
        "sha256": names,
        "source_member": None,
        "state": "kept",
        "reason": None,
    }
    return KnownSources(Catalog(rows))  # type: ignore[arg-type]  # what is asked of a dataset


def unit(*numbers: int, etag: str = "1-1") -> SourceUnit:
    items = tuple(Item(source=f"raw/{number}.jpg", place="", etag=etag) for number in numbers)
    return SourceUnit(kind="files", path="", source="", items=items)


def test_what_was_read_is_passed_over_and_what_changed_is_not() -> None:
    sources = known(1_000)
    assert sources.unread(unit(0, 999)) is None
    assert sources.unread(unit(1, 2_000, 3)) == unit(2_000)
    assert sources.unread(unit(5, etag="1-2")) == unit(5, etag="1-2")
    assert sources.recognised(unit(5, 2_000)) == (1, 1)
    assert sources.recognised(unit(5, 6, etag="1-2")) == (2, 0)
    assert KnownSources(None).unread(unit(1)) == unit(1)


def test_a_unit_is_looked_up_and_not_joined_with_all_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = known(1_000)

    def none(*_: object, **__: object) -> None:
        raise AssertionError("the whole history was gone through for one unit")

    for kind in (pl.DataFrame, pl.LazyFrame):
        for name in ("join", "with_columns", "sort", "unique"):
            monkeypatch.setattr(kind, name, none)
    assert sources.unread(unit(0, 999)) is None
    assert sources.unread(unit(2_000)) == unit(2_000)
