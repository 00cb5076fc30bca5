"""Sources in an object store and on the web, against servers on loopback: the same dataset as from the same local folder."""

from __future__ import annotations

import functools
import http.server
import io
import json
import threading
import zipfile

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from PIL import Image

import toolkit
from toolkit.engine import engine
from toolkit.errors import MissingError, UsageError

SECRET = "hush-hush-key"
WANTED = ("source", "image_id", "label", "captions", "mask_source")


@pytest.fixture(scope="module")
def client():
    with engine(workers=1) as running:
        yield running.client


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def options(endpoint):
    return {"endpoint": endpoint, "region": "us-east-1", "access_key_id": "id", "secret_access_key": SECRET}


@pytest.fixture
def bucket(options, request):
    from urllib3 import request as send

    name = f"bucket-{abs(hash(request.node.name)) % 10**9}"
    send("PUT", f"{options['endpoint']}/{name}")
    return name, S3Store(name, client_options={"allow_http": True}, **options)


def jpeg(seed, kind="jpeg"):
    file = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((96, 64), Image.Resampling.BICUBIC).save(file, kind)
    return file.getvalue()


def put(path, payload):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload)


def photos(root):
    """A folder with class folders, an archive, a table, annotations, a mask, and files that are none of these."""
    for number in range(6):
        put(root / "classes" / ("cat" if number % 2 else "dog") / f"{number}.jpg", jpeg(number))
    put(root / "flat" / "noted.jpg", jpeg(20))
    put(root / "flat" / "metadata.csv", b"file_name,text\nnoted.jpg,a noted one\n")
    put(root / "seg" / "images" / "m.jpg", jpeg(30))
    mask = io.BytesIO()
    Image.fromarray(np.eye(64, 96, dtype=np.uint8)).save(mask, "png")
    put(root / "seg" / "masks" / "m.png", mask.getvalue())
    put(root / "notes.md", b"none")
    put(root / "bare", jpeg(40))
    with zipfile.ZipFile(root / "more.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"in/{number}.jpg", jpeg(50 + number))
    rows = [{"image": {"bytes": jpeg(60 + number), "path": None}, "label": "table"} for number in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), root / "table.parquet", row_group_size=2)
    return root


def upload(store, root, prefix):
    for path in sorted(root.rglob("*")):
        if path.is_file():
            store.put(f"{prefix}/{path.relative_to(root).as_posix()}", path.read_bytes())


def images(dataset):
    return dataset.scan("images").select(WANTED).sort("source").collect()


def written(root):
    return [path for path in root.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_a_prefix_gives_what_the_same_folder_gives_and_is_read_once(tmp_path, client, bucket, options):
    name, store = bucket
    root = photos(tmp_path / "photos")
    upload(store, root, "photos")
    upload(store, root, "photos-of-others")
    local = toolkit.curate(root, tmp_path / "local", None, client)
    place = f"s3://{name}/photos"
    remote = toolkit.curate(place, tmp_path / "remote", None, client, storage_options=options)
    assert len(images(local)) == 15
    assert images(remote).equals(images(local))
    assert images(remote)["mask_source"].drop_nulls().len() == 1
    assert remote.profile.curation["downloaded_image_count"] >= 9
    assert not list((tmp_path / "remote" / "_tonnage").rglob("fetched"))
    assert not written(tmp_path / "remote")
    assert toolkit.curate(place, tmp_path / "remote", None, client, storage_options=options).version == remote.version

    store.put("photos/classes/cat/1.jpg", jpeg(99))
    changed = toolkit.curate(place, tmp_path / "remote", None, client, storage_options=options)
    assert changed.version == remote.version + 1
    assert set(changed.scan("images").collect()["image_id"]) > set(images(remote)["image_id"])


def test_a_single_archive_a_list_and_the_environment(tmp_path, client, bucket, options, monkeypatch):
    name, store = bucket
    root = photos(tmp_path / "photos")
    upload(store, root, "p")
    store.put("p/list.csv", b"path,caption\nclasses/dog/0.jpg,a dog\n../q.jpg,out\n")
    place = f"s3://{name}/p"
    archive = toolkit.curate(f"{place}/more.zip", tmp_path / "archive", None, client, storage_options=options)
    assert len(images(archive)) == 3
    again = toolkit.curate(f"{place}/more.zip", tmp_path / "archive", None, client, storage_options=options)
    assert again.version == archive.version
    listed = toolkit.curate(f"{place}/list.csv", tmp_path / "listed", None, client, storage_options=options)
    assert images(listed)["captions"].to_list() == [["a dog"]]
    assert listed.scan("catalog").filter(pl.col("state") == "quarantined").collect()["reason"].to_list() == ["unsafe_path"]


def test_what_is_not_there_and_what_cannot_be_reached_is_one_sentence(tmp_path, client, bucket, options):
    name, _ = bucket
    with pytest.raises(MissingError, match="there is nothing at"):
        toolkit.curate(f"s3://{name}/nothing", tmp_path / "a", None, client, storage_options=options)
    with pytest.raises(UsageError, match="cannot be reached") as caught:
        toolkit.curate(f"s3://{name}/x", tmp_path / "b", None, client, storage_options=options | {"colour": SECRET})
    assert SECRET not in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_a_page_that_lists_files_is_a_folder(tmp_path, client):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    root = photos(tmp_path / "photos")
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        place = f"http://127.0.0.1:{server.server_port}/photos"
        local = toolkit.curate(root, tmp_path / "local", None, client)
        web = toolkit.curate(f"{place}/", tmp_path / "web", None, client)
        assert images(web).equals(images(local))
        assert toolkit.curate(place, tmp_path / "web", None, client).version == web.version
        table = toolkit.curate(f"{place}/table.parquet", tmp_path / "table", None, client)
        assert len(images(table)) == 3
        server.shutdown()
        thread.join()
    assert json.dumps(web.profile.curation)
