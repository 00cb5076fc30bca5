"""A dataset in an object store is read as one on the disk is, by ranged requests, and is not written to."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dataset_rows import add_batch, picture
from store_server import store_of
from typer.testing import CliRunner

import toolkit
from toolkit.cli import app
from toolkit.dataset.reading import Dataset
from toolkit.dataset.verify import verify
from toolkit.errors import DatasetError, MissingError, UsageError


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bucket") / "data" / "set"
    add_batch(place, "one", range(12), refused=2, prefix="train")
    add_batch(place, "two", range(12, 20), split="test", prefix="test")
    toolkit.remove(place, "source = 's/3.jpg'")
    (place / "images" / "left-behind.parquet").write_bytes(b"of a run that was killed")
    shutil.copytree(place, place.with_name("hurt"))
    hurt = toolkit.open_dataset(place.with_name("hurt")).shard_paths()[0]
    payload = bytearray(hurt.read_bytes())
    payload[300] ^= 1
    hurt.write_bytes(payload)
    return place


@pytest.fixture(scope="module")
def remote(local: Path) -> Iterator[Dataset]:
    with pytest.MonkeyPatch.context() as patched, store_of(local.parent.parent) as endpoint:
        facts = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
        for name, value in facts.items():
            patched.setenv(name, value)
        yield toolkit.open_dataset("s3://bucket/data/set")


def test_tables_versions_profile_and_lists_are_those_of_the_disk(remote: Dataset, local: Path) -> None:
    here = toolkit.open_dataset(local)
    for table in ("images", "catalog", "quarantine"):
        assert remote.scan(table).collect().equals(here.scan(table).collect())
    assert remote.versions().equals(here.versions())
    facts = [dataset.profile.to_dict() | {"location": ""} for dataset in (remote, here)]
    assert facts[0] == facts[1]
    assert remote.findings("bridges").is_empty()
    assert len(toolkit.open_dataset("s3://bucket/data/set", version=0)) == 12


def test_an_image_is_one_ranged_read(remote: Dataset, local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.dataset.object_paths import ObjectPath

    here = toolkit.open_dataset(local)
    assert [remote.get(i) for i in range(len(remote))] == [here.get(i) for i in range(len(here))]
    asked: list[int] = []
    whole = ObjectPath.read_range
    monkeypatch.setattr(ObjectPath, "read_range", lambda path, start, size: asked.append(size) or whole(path, start, size))
    assert remote.get(0) == here.get(0)
    assert asked == [len(here.get(0))]
    copy = pickle.loads(pickle.dumps(remote))
    assert copy.get(-1) == here.get(-1)


@pytest.mark.parametrize("check", [True, "pages", False])
def test_the_loader_gives_every_image(remote: Dataset, check: bool | str) -> None:
    batches = list(remote.loader(batch_size=4, decode=False, verify=check, workers=1))
    found = sorted(bytes(image) for batch in batches for image in batch.images)
    assert found == sorted(picture(i) for i in range(20) if i != 3)
    assert sum(len(batch.images) for batch in remote.loader(split="test", workers=1)) == 8


def test_it_is_verified_and_exported(remote: Dataset, tmp_path: Path) -> None:
    found = verify(remote, images=True)
    assert (found.problems, found.checked_image_count) == ((), 19)
    assert found.leftovers == ("images/left-behind.parquet",)
    assert "its bytes are not those that were written" in verify("s3://bucket/data/hurt").problems[0]
    assert toolkit.export(remote, tmp_path / "out", "webdataset").image_count == 19
    exported = CliRunner().invoke(app, ["quarantine", "export", "s3://bucket/data/set", str(tmp_path / "refused")])
    assert exported.exit_code == 0, exported.output


def test_the_command_shows_it_and_what_is_not_there_is_one_sentence(remote: Dataset) -> None:
    shown = CliRunner().invoke(app, ["show", "s3://bucket/data/set"])
    assert shown.exit_code == 0, shown.output
    assert "version 2" in shown.stdout
    with pytest.raises(MissingError, match="there is no dataset at 's3://bucket/data/none'"):
        toolkit.open_dataset("s3://bucket/data/none")
    with pytest.raises(UsageError, match="'s3://bucket/data' is not a Tonnage dataset"):
        toolkit.open_dataset("s3://bucket/data")
    with pytest.raises(UsageError, match=r"read from there, s3://, gs:// or az://; copy it there or mount it"):
        toolkit.open_dataset("https://host/set")


def test_it_is_not_written_to(remote: Dataset, local: Path) -> None:
    changes = [
        lambda: toolkit.remove(remote, "source = 's/1.jpg'"),
        lambda: toolkit.compact(remote),
        lambda: toolkit.redecide(remote, {}),
        lambda: toolkit.curate(local / "images", "s3://bucket/data/set"),
        lambda: verify(remote, repair=True),
    ]
    for change in changes:
        with pytest.raises(UsageError, match="datasets are written to a local or mounted folder"):
            change()


@pytest.mark.parametrize("command", [["measure"], ["backtest"], ["report"]])
def test_what_needs_a_disk_says_so_and_what_to_do(remote: Dataset, command: list[str], tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "page.html")] if command == ["report"] else []
    done = CliRunner().invoke(app, [*command, "s3://bucket/data/set", *out])
    assert isinstance(done.exception, UsageError)
    assert str(done.exception).startswith("'s3://bucket/data/set' is not on this machine's disk")
    assert str(done.exception).endswith("copy it to a folder, and name that")


def test_a_store_that_does_not_answer_is_one_sentence_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("GET https://a.b/set?X-Amz-Signature=secret failed: 403 Forbidden\n\nDebug source: ...")

    monkeypatch.setattr("toolkit.locations.store_at", broken)
    with pytest.raises(DatasetError, match=r"'s3://bucket/set' cannot be read: GET https://a.b/set\?... failed: 403") as caught:
        toolkit.open_dataset("s3://bucket/set")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
