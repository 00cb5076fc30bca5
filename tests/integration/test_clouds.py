"""Google's and Azure's storage, on servers that speak their protocols: sources are curated, copies of datasets read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud_servers import ACCOUNT, ACCOUNT_KEY, azurite, gcs_of, make_container
from dataset_rows import add_batch, picture

import toolkit
from toolkit.curation.pipeline import curate
from toolkit.dataset.verify import verify
from toolkit.engine import engine
from toolkit.errors import MissingError, UsageError
from toolkit.locations import Location, store_at


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bucket as a folder: photographs in class folders, and a copy of a dataset."""
    root = tmp_path_factory.mktemp("stores") / "bucket"
    for number in range(6):
        place = root / "photos" / ("cat" if number % 2 else "dog") / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture(number))
    add_batch(root / "set", "one", range(12), refused=2, prefix="train")
    add_batch(root / "set", "two", range(12, 20), split="test", prefix="test")
    return root


@pytest.fixture(scope="module")
def google(files: Path) -> Iterator[str]:
    with gcs_of(files.parent) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def azure(files: Path) -> Iterator[str]:
    with azurite() as endpoint:
        options = (("account_key", ACCOUNT_KEY), ("endpoint", endpoint))
        for container in ("open", "shut"):
            make_container(endpoint, container, is_public=container == "open")
            store = store_at(f"az://{ACCOUNT}/{container}", options)
            for path in files.rglob("*"):
                if path.is_file():
                    store.put(path.relative_to(files).as_posix(), path.read_bytes())
        yield endpoint


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    with engine(workers=1) as running:
        yield running.client


def kept(dataset: toolkit.Dataset) -> list[tuple[str, str]]:
    return sorted(dataset.scan("images").select("image_id", "label").collect().rows())


def is_read_as_on_the_disk(place: str, files: Path, tmp_path: Path) -> None:
    remote, here = toolkit.open_dataset(place), toolkit.open_dataset(files / "set")
    for table in ("images", "catalog", "quarantine"):
        assert remote.scan(table).collect().equals(here.scan(table).collect())
    assert [remote.get(i) for i in range(len(remote))] == [here.get(i) for i in range(len(here))]
    assert (verify(remote, images=True).problems, len(toolkit.open_dataset(place, version=0))) == ((), 12)
    assert sum(len(batch.images) for batch in remote.loader(split="test", workers=1)) == 8
    assert toolkit.export(remote, tmp_path / "out", "webdataset").image_count == 20
    assert Location.of(place).exists()
    with pytest.raises(MissingError, match="there is no dataset at"):
        toolkit.open_dataset(f"{place}-none")


def test_a_prefix_of_google_is_curated_anonymously(google: str, files: Path, tmp_path: Path, client) -> None:
    options = {"endpoint": google, "anonymous": "true"}
    found = curate("gs://bucket/photos", tmp_path / "ds", None, client, storage_options=options)
    assert kept(found) == kept(curate(files / "photos", tmp_path / "local", None, client))
    again = curate("gs://bucket/photos", tmp_path / "ds", None, client, storage_options=options)
    assert again.version == found.version
    with pytest.raises(MissingError, match="there is nothing at 'gs://bucket/nothing'"):
        curate("gs://bucket/nothing", tmp_path / "none", None, client, storage_options=options)


def test_a_copy_of_a_dataset_in_google_is_read(google: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_BASE_URL", google)
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    store_at.cache_clear()
    is_read_as_on_the_disk("gs://bucket/set", files, tmp_path)
    store_at.cache_clear()


@pytest.mark.parametrize("container", ["open", "shut"])
def test_a_prefix_of_azure_is_curated(azure: str, container: str, files: Path, tmp_path: Path, client) -> None:
    key = {"anonymous": "true"} if container == "open" else {"account_key": ACCOUNT_KEY}
    place, options = f"az://{ACCOUNT}/{container}/photos", {"endpoint": azure, **key}
    found = curate(place, tmp_path / "ds", None, client, storage_options=options)
    assert kept(found) == kept(curate(files / "photos", tmp_path / "local", None, client))
    assert curate(place, tmp_path / "ds", None, client, storage_options=options).version == found.version


def test_azure_without_its_key_is_one_sentence(azure: str, tmp_path: Path, client) -> None:
    place, options = f"az://{ACCOUNT}/shut/photos", {"endpoint": azure, "anonymous": "true"}
    with pytest.raises((UsageError, MissingError)) as caught:
        curate(place, tmp_path / "ds", None, client, storage_options=options)
    assert ACCOUNT_KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ds").exists()


@pytest.mark.parametrize("container", ["open", "shut"])
def test_a_copy_of_a_dataset_in_azure_is_read(
    azure: str, container: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", azure)
    if container == "open":
        monkeypatch.setenv("AZURE_SKIP_SIGNATURE", "true")
    else:
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", ACCOUNT_KEY)
    store_at.cache_clear()
    is_read_as_on_the_disk(f"az://{ACCOUNT}/{container}/set", files, tmp_path)
    store_at.cache_clear()
