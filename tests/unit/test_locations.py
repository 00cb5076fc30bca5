from pathlib import Path

import pytest

from toolkit.cli import _of_disk_or_store
from toolkit.errors import UsageError
from toolkit.locations import Location, store_at, without_secrets


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


def test_a_client_s_report_of_silence_of_a_missing_key_and_of_missing_credentials_is_one_sentence() -> None:
    delta = (
        "Generic S3 error\n          \x1b[31m↳\x1b[0m Error performing list request\n           \x1b[31m↳\x1b[0m Error performing GET "
        "http://key:secret@127.0.0.1:9/bucket?list-type=2 in 60.4s, after 1 retries, max_retries\n  \x1b[31m↳\x1b[0m 10 - HTTP error"
        "\n   \x1b[31m↳\x1b[0m operation timed out\n"
    )
    polars = (
        "object-store error: Generic S3 error: Error performing GET http://127.0.0.1:9/bucket/a.parquet in 31.6s, after 6 retries, "
        "max_retries: 8 (path: s3://bucket/a.parquet)\n\nCaused by:\n    operation timed out"
    )
    rest = "check the endpoint and the network, then run it again"
    assert without_secrets(OSError(delta)) == f"http://127.0.0.1:9 gave no answer within 60 s (asked 2 times); {rest}"
    assert without_secrets(TimeoutError(polars)) == f"http://127.0.0.1:9 gave no answer within 32 s (asked 7 times); {rest}"
    assert without_secrets(OSError("operation timed out")) == f"the store gave no answer in time (asked once); {rest}"
    refused = "Generic S3 error\n  \x1b[31m↳\x1b[0m Server returned 403\n   \x1b[31m↳\x1b[0m AccessDenied"
    assert without_secrets(OSError(refused)) == "Generic S3 error: Server returned 403: AccessDenied"
    keyless = "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 1.1ms - 403 Forbidden\n\nDebug"
    assert without_secrets(OSError(keyless)).startswith("no credentials were found; set them in the environment")
    assert _of_disk_or_store(TimeoutError(polars)) == without_secrets(TimeoutError(polars))
    assert _of_disk_or_store(OSError("one\ntwo")) == "one\ntwo"
