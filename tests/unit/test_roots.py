"""What tells a source from another of its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.curation.roots import SourceRoots
from toolkit.curation.sources import source_names
from toolkit.dataset.tables import DatasetStore


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://h/x.zip?X-Amz-Signature=1&X-Amz-Date=2", "https://me:word@h/x.zip?sig=3&se=4&sv=5"),
        ("photos", "./photos/"),
        ("s3://bucket/photos", "s3://bucket/photos/"),
    ],
)
def test_a_place_is_the_same_however_it_is_written_or_signed(tmp_path: Path, one: str, other: str) -> None:
    roots = SourceRoots(DatasetStore(tmp_path), None, lambda _: False).named([one, other])
    assert len(roots) == 1


def test_addresses_that_ask_for_other_things_are_other_places_and_what_they_ask_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "_tonnage").mkdir()
    roots = SourceRoots(DatasetStore(tmp_path), None, lambda _: False)
    named = roots.named(["https://h/get?id=1", "https://h/get?id=word", "https://h/get"])
    assert [root.name for root in named] == ["get", "get~2", "get~3"]
    roots.remember(named)
    written = (tmp_path / "_tonnage" / "sources.json").read_text()
    assert "word" not in written
    assert "https://h/get" in written


def test_a_folder_that_bears_a_number_keeps_others_from_it() -> None:
    assert [name for _, name in source_names(["a/x~2", "a/x", "b/x"])] == ["x~2", "x", "x~3"]
