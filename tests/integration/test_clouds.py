"""Google's and Azure's storage, on servers that speak their protocols: sources are curated, copies of datasets read."""

from __future__ import annotations

import io
import zipfile
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


def test_what_changes_in_a_container_is_a_second_batch_and_a_purge_leaves_nothing(azure: str, tmp_path: Path, client) -> None:
    place, options = f"az://{ACCOUNT}/shut/grown", {"account_key": ACCOUNT_KEY, "endpoint": azure}
    store = store_at(f"az://{ACCOUNT}/shut", tuple(options.items()))
    names = ["a b.png", "ü/ß.png", "p%41c.png", "x+y.png", "q&=1.png", "hash#1.png"]
    for number, name in enumerate(names):
        store.put(f"grown/{name}", picture(100 + number))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("in/zip.png", picture(110))
    store.put("grown/z.zip", packed.getvalue())
    store.put("grown/metadata.csv", b"file_name,label\na b.png,first\n")
    store.put("grown/cut.png", picture(111)[:40])
    first = curate(place, tmp_path / "ds", None, client, storage_options=options)
    rows = first.scan("catalog").select("source", "state", "label").collect().rows()
    wanted = [*((f"grown/{name}", "kept") for name in (*names, "z.zip!in/zip.png")), ("grown/cut.png", "quarantined")]
    assert sorted(row[:2] for row in rows) == sorted(wanted)
    assert [row[0] for row in rows if row[2] == "first"] == ["grown/a b.png"]

    store.put("grown/x+y.png", picture(120))
    store.put("grown/new.png", picture(121))
    second = curate(place, tmp_path / "ds", None, client, storage_options=options)
    assert (second.version, len(second)) == (1, 9), "the earlier bytes of a changed file are kept as well"
    assert sorted(second.scan("images").filter(batch=second.state.batch).collect()["source"]) == [
        "grown/new.png",
        "grown/x+y.png",
    ]

    toolkit.remove(second, "source = 'grown/new.png'", purge=True)
    left = toolkit.open_dataset(tmp_path / "ds")
    assert (verify(left, images=True).problems, len(left)) == ((), 8)
    assert not any(picture(121) in path.read_bytes() for path in (tmp_path / "ds").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("container", "key", "said"),
    [
        ("shut", {"anonymous": "true"}, r"http://127\S+ answers 40[34] .*; check the "),
        (
            "shut",
            {"account_key": "AAAA"},
            r"http://127\S+ answers 403 Forbidden \(\w+\); check the credentials, and what they allow",
        ),
        (
            "none-such",
            {"account_key": ACCOUNT_KEY},
            r"answers 404 Not Found \(ContainerNotFound\); check the bucket or container",
        ),
    ],
)
def test_azure_that_refuses_is_one_sentence(
    azure: str, container: str, key: dict[str, str], said: str, tmp_path: Path, client
) -> None:
    place, options = f"az://{ACCOUNT}/{container}/photos", {"endpoint": azure, **key}
    with pytest.raises((UsageError, MissingError), match=said) as caught:
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
