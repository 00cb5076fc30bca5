from pathlib import Path

import pytest

from toolkit.errors import UsageError
from toolkit.locations import Location, store_at


def test_a_path_becomes_absolute_and_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = Location.of("photos/")
    assert (place.url, place.name, place.is_local) == (str(tmp_path / "photos"), "photos", True)
    assert not place.exists()
    (tmp_path / "photos").mkdir()
    assert place.exists()
    assert Location.of(place) is place
    assert Location.of(f"file://{tmp_path}").path == tmp_path


def test_a_url_goes_to_its_store() -> None:
    place = Location.of("memory://bucket/dataset/")
    assert (place.scheme, place.name, place.bucket, place.key) == ("memory", "dataset", "memory://bucket", "dataset")
    store_at(place.bucket, ()).put("dataset/part", b"bytes")
    assert (place / "part").exists()
    assert place.exists()
    assert not Location.of("memory://bucket/nothing").exists()
    with pytest.raises(UsageError, match="not on this machine's disk"):
        _ = place.path


def test_an_account_is_part_of_a_container_of_azure() -> None:
    place = Location.of("az://account/container/a/b.zip")
    assert (place.bucket, place.key) == ("az://account/container", "a/b.zip")
    with pytest.raises(UsageError, match="write az://account/bucket/path"):
        _ = Location.of("az://account").bucket


def test_an_option_that_a_store_does_not_know_is_refused_without_its_value() -> None:
    with pytest.raises(UsageError, match="cannot be reached") as caught:
        store_at("s3://bucket", (("no_such_option", "hush-hush"),))
    assert "hush-hush" not in str(caught.value)


def test_an_unknown_scheme_and_an_empty_path_are_one_sentence() -> None:
    with pytest.raises(UsageError, match="'gopher://' is not a kind of location"):
        _ = Location.of("gopher://x").bucket
    with pytest.raises(UsageError, match="an empty path"):
        Location.of("")
