from pathlib import Path

import pytest

from toolkit.errors import ExtraError, UsageError
from toolkit.locations import Location


def test_a_path_becomes_absolute_and_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = Location.of("photos/")
    assert (place.url, place.name, place.is_local) == (str(tmp_path / "photos"), "photos", True)
    assert not place.exists()
    (tmp_path / "photos").mkdir()
    assert place.exists()
    assert Location.of(place) is place
    assert Location.of(f"file://{tmp_path}").path == tmp_path


def test_a_url_goes_to_its_filesystem() -> None:
    place = Location.of("memory://bucket/dataset/")
    assert (place.scheme, place.name, place.fs_path) == ("memory", "dataset", "bucket/dataset")
    place.filesystem.pipe(place.fs_path + "/part", b"bytes")
    assert (place / "part").exists()
    with pytest.raises(UsageError, match="not on this machine's disk"):
        _ = place.path


def test_what_is_not_installed_is_named_with_its_extra() -> None:
    with pytest.raises(ExtraError, match=r"pip install 'tonnage\[gcs\]'"):
        _ = Location.of("gs://bucket/x").filesystem


def test_an_unknown_scheme_and_an_empty_path_are_one_sentence() -> None:
    with pytest.raises(UsageError, match="'gopher://' is not a kind of location"):
        _ = Location.of("gopher://x").filesystem
    with pytest.raises(UsageError, match="an empty path"):
        Location.of("")
