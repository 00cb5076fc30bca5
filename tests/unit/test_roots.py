"""What tells a source from another of its name."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from toolkit.curation.history import KnownSources
from toolkit.curation.roots import SourceRoots, is_familiar
from toolkit.curation.sources import source_names
from toolkit.curation.sources.files import etag_of
from toolkit.dataset.tables import DatasetStore
from toolkit.locations import Location


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://h/x.zip?X-Amz-Signature=1&X-Amz-Date=2", "https://me:word@h/x.zip?sig=3&se=4&sv=5"),
        ("photos", "./photos/"),
        ("s3://bucket/photos", "s3://bucket/photos/"),
    ],
)
def test_a_place_is_the_same_however_it_is_written_or_signed(tmp_path: Path, one: str, other: str) -> None:
    roots = SourceRoots(DatasetStore(tmp_path), None, lambda *_: False).named([one, other])
    assert len(roots) == 1


def test_addresses_that_ask_for_other_things_are_other_places_and_what_they_ask_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "_tonnage").mkdir()
    roots = SourceRoots(DatasetStore(tmp_path), None, lambda *_: False)
    named = roots.named(["https://h/get?id=1", "https://h/get?id=word", "https://h/get"])
    assert [root.name for root in named] == ["get", "get~2", "get~3"]
    roots.remember(named)
    written = (tmp_path / "_tonnage" / "sources.json").read_text()
    assert "word" not in written
    assert "https://h/get" in written


def test_what_stands_behind_a_question_mark_is_asked_of_the_web_alone() -> None:
    places = ["a/what? now", "a/what? then", "s3://bucket/why?.zip", "https://host/x.zip?sig=1"]
    assert [name for _, name in source_names(places)] == ["what? now", "what? then", "why?.zip", "x.zip"]


def test_a_folder_that_bears_a_number_keeps_others_from_it() -> None:
    assert [name for _, name in source_names(["a/x~2", "a/x", "b/x"])] == ["x~2", "x", "x~3"]


class Catalog:
    def scan(self, _: str) -> pl.LazyFrame:
        return pl.LazyFrame({"source": ["photos/a.jpg"]})


def test_a_name_that_an_earlier_release_used_is_taken_by_no_place_that_is_not_familiar(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def familiar(place: Location, name: str) -> bool:
        asked.append((place.name, name))
        return place.url == "s3://mine/photos"

    roots = SourceRoots(DatasetStore(tmp_path), Catalog(), familiar)  # type: ignore[arg-type]  # what is asked of a dataset
    named = {root.place.url: (root.name, root.is_known) for root in roots.named(["s3://yours/photos", "s3://mine/photos"])}
    assert named == {"s3://yours/photos": ("photos~2", False), "s3://mine/photos": ("photos", True)}
    assert asked == [("photos", "photos")] * 2


@pytest.mark.parametrize(("changed_count", "familiar"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_place_is_familiar_if_more_of_its_files_are_the_same_than_changed(
    tmp_path: Path, changed_count: int, familiar: bool
) -> None:
    names = [f"{number}.jpg" for number in range(4)]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    etags = [etag_of((tmp_path / name).stat()) for name in names]
    for name in names[:changed_count]:
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / "new.jpg").write_bytes(b"")
    rows = {"source": [f"x/{name}" for name in names], "source_etag": etags, "sha256": names, "state": ["kept"] * 4}
    nothing = pl.lit(None, pl.String)
    catalog = pl.DataFrame(rows).with_columns(source_member=nothing, reason=nothing).lazy()
    known = KnownSources(SimpleNamespace(scan=lambda _: catalog))  # type: ignore[arg-type]  # what is asked of a dataset
    assert is_familiar(known, Location.of(tmp_path), "x") is familiar
    assert not is_familiar(known, Location.of(tmp_path), "y")
