"""``toolkit.curate`` when something is wrong: usage, clusters, a stop in the middle, an image that kills the decoder."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, SAMPLE
from distributed import Client, LocalCluster
from PIL import Image
from rich.console import Console

import toolkit
from toolkit.curation.places import check_free_space, check_workers
from toolkit.dataset.tables import DatasetStore
from toolkit.dataset.verify import verify
from toolkit.engine import Engine
from toolkit.errors import ClusterError, DatasetError, MissingError, RecipeError, UsageError
from toolkit.terminal_dataset import draw_profile

BIRDS = SAMPLE / "raw" / "by_class" / "hat"


@pytest.fixture
def empty(tmp_path):
    (tmp_path / "raw" / "deep").mkdir(parents=True)
    (tmp_path / "raw" / "notes.md").write_text("no image")
    return tmp_path / "raw"


def refused(kind, words, sources, dataset, recipe=None):
    """Check that a call is refused in one sentence, at once (no cluster is started), and leaves nothing behind."""
    existed = dataset.exists()
    with pytest.raises(kind, match=words) as caught:
        toolkit.curate(sources, dataset, recipe, scheduler="tcp://127.0.0.1:9")
    assert "\n" not in str(caught.value)
    assert dataset.exists() == existed


def test_what_cannot_be_used_is_said_before_any_work_starts(tmp_path, empty):
    dataset = tmp_path / "dataset"
    refused(MissingError, "there is no source at '.*nowhere'", [tmp_path / "nowhere"], dataset)
    refused(UsageError, r"no images were found in '.*raw' \(1 other files were\)", [empty], dataset)
    refused(UsageError, "no source was named", [], dataset)
    refused(UsageError, "'gopher://' is not a kind of location", ["gopher://bucket/photos"], dataset)
    refused(RecipeError, "'min_side' is not a key", BIRDS, dataset, {"min_side": 3})
    refused(UsageError, "overlap", tmp_path, dataset)
    refused(UsageError, "overlap", BIRDS, BIRDS)
    refused(UsageError, "overlap", BIRDS, BIRDS / "dataset")
    refused(UsageError, "is not empty and holds no Tonnage dataset", BIRDS, empty)
    refused(UsageError, "is a file", BIRDS, empty / "notes.md")


def test_a_worker_that_cannot_see_a_path_is_named(tmp_path):
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        running = Engine(client=client, is_own=False)
        check_workers(running, [str(tmp_path)])
        with pytest.raises(ClusterError, match=r"the worker at '.*' cannot see '/no/such/place'; mount it"):
            check_workers(running, [str(tmp_path), "/no/such/place"])


def test_too_little_room_is_said_before_anything_is_written(tmp_path):
    check_free_space(tmp_path, 1)
    with pytest.raises(DatasetError, match="this batch needs 1 YB; nothing was committed"):
        check_free_space(tmp_path, 10**24)


STOPPED = """
import os, sys, toolkit
def stop(stage, done, total, detail):
    if stage == sys.argv[4] and done >= int(sys.argv[5]):
        os._exit(9)
if __name__ == "__main__":
    toolkit.curate(sys.argv[1], sys.argv[2], scheduler=sys.argv[3], progress=stop)
"""


@pytest.mark.parametrize(("stage", "done"), [("read", 60), ("write", 1)])
def test_a_run_that_was_killed_shows_nothing_and_the_next_goes_on_where_it_stopped(tmp_path, stage, done):
    source, dataset = SAMPLE / "raw" / "by_class", tmp_path / "dataset"
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1") as cluster,
        Client(cluster) as client,
    ):
        script = [sys.executable, "-c", STOPPED, source, dataset, cluster.scheduler_address, stage, str(done)]
        assert subprocess.run(script, check=False, timeout=120).returncode == 9
        assert not DatasetStore(dataset).exists()
        journal = {path.name: path.stat().st_mtime_ns for path in (dataset / "_tonnage" / "staging").rglob("*.json")}
        assert journal
        kept = {}

        def compare(at, *_):
            if at == "compare" and not kept:
                found = (dataset / "_tonnage" / "staging").rglob("*.json")
                kept.update({path.name: path.stat().st_mtime_ns for path in found})

        resumed = toolkit.curate(source, dataset, scheduler=client, progress=compare)
        assert journal.items() <= kept.items()
        fresh = toolkit.curate(source, tmp_path / "fresh", scheduler=client)
    for table in ("images", "catalog"):
        assert resumed.scan(table).collect().equals(fresh.scan(table).collect())
    told = resumed.profile.curation
    assert 60 <= told["taken_up_count"] <= fresh.profile.source_count
    assert "images_per_s" not in told  # it took this run no time to read what the other had read
    assert fresh.profile.curation["images_per_s"] > 0
    assert "taken_up_count" not in fresh.profile.curation
    drawn = io.StringIO()
    draw_profile(Console(file=drawn, width=120), resumed.profile)
    assert f"a run that was stopped had read {told['taken_up_count']:,.0f}" in drawn.getvalue()
    assert not list((dataset / "_tonnage" / "staging").iterdir())


KILLER = b"this text kills the process that decodes it"
CUSTOMIZED = f"""
import os
from PIL import Image
opened = Image.open
def open(file, *arguments, **options):
    position = file.tell()
    if {KILLER!r} in file.read():
        os._exit(139)
    file.seek(position)
    return opened(file, *arguments, **options)
Image.open = open
"""
"""What Python runs at the start of every process that is given this folder: a decoder that crashes on one image."""


def test_an_image_that_kills_the_decoder_is_found_and_quarantined(tmp_path, monkeypatch):
    raw = tmp_path / "raw"
    raw.mkdir()
    shop = sorted((SAMPLE / "raw" / "shop").glob("*.png"))[:4]
    for path in shop:
        (raw / path.name).write_bytes(path.read_bytes())
    (raw / "killer.png").write_bytes(shop[0].read_bytes() + KILLER)
    (tmp_path / "customized").mkdir()
    (tmp_path / "customized" / "sitecustomize.py").write_text(CUSTOMIZED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "customized"))
    dataset = toolkit.curate(raw, tmp_path / "dataset", workers=1)
    states = {row["source"]: (row["state"], row["reason"]) for row in dataset.scan("catalog").collect().iter_rows(named=True)}
    assert states.pop("raw/killer.png") == ("quarantined", "decoder_crash")
    assert set(states.values()) == {("kept", None)}
    assert dataset.refused_bytes("raw/killer.png") == (raw / "killer.png").read_bytes()


def test_a_damaged_journal_entry_is_read_again(tmp_path):
    source, dataset = BIRDS, tmp_path / "dataset"
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):

        def stop(stage, *_):
            if stage == "compare":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            toolkit.curate(source, dataset, scheduler=client, progress=stop)
        (entry,) = (dataset / "_tonnage" / "staging").rglob("*.json")
        assert json.loads(entry.read_text())["occurrence_count"] == 33
        entry.write_text('{"name": ')
        assert len(toolkit.curate(source, dataset, scheduler=client)) == 33


@pytest.mark.parametrize("most_bytes", [8_000, 400_000])
def test_a_disk_that_takes_no_more_is_one_sentence_and_the_next_run_goes_on(tmp_path, most_bytes):
    """Writes fail for real, with the kernel's limit on a file's size: in a probe part, or in a shard."""
    dataset = tmp_path / "dataset"
    command = [sys.executable, "-m", "toolkit", "curate", str(SAMPLE / "raw"), str(dataset), "--quiet"]
    limited = f"import resource, os, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({most_bytes},) * 2); os.execv(sys.argv[1], sys.argv[1:])"
    alone = {
        name: value for name, value in os.environ.items() if not name.startswith("COV")
    }  # its data file would not fit either
    done = subprocess.run(
        [sys.executable, "-c", limited, *command], env=alone, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "takes no more (file too large); make room and run the same command again" in done.stderr
    assert not DatasetStore(dataset).exists()

    went_on = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert went_on.returncode == 0, went_on.stderr
    assert len(toolkit.open_dataset(dataset)) == 377
    assert verify(dataset, repair=True).problems == ()
    assert verify(dataset).leftovers == ()


SCRIPT = """
import sys
import toolkit
print(len(toolkit.curate(sys.argv[1], sys.argv[2])), __spec__ is None, "__file__" in globals())
"""


@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_script_needs_no_guard_around_its_calls(tmp_path, way):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script) if way == "file" else "-", str(BIRDS), str(tmp_path / "dataset")]
    with script.open() as text:
        done = subprocess.run(command, stdin=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["33", "True", "True"]
    assert done.stderr == ""


def png(shade):
    """Return a small image, another for each number."""
    file = io.BytesIO()
    Image.new("L", (32, 32), 40 * shade).save(file, "PNG")
    return file.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="permissions bind root by capabilities, which Linux alone has")
def test_containers_that_could_not_be_opened_are_read_once_they_can(tmp_path):
    raw = tmp_path / "raw"
    shut = [raw / name for name in ("shut.zip", "shut.tar.gz", "shut.parquet")]
    raw.mkdir()
    (raw / "open.png").write_bytes(png(0))
    with zipfile.ZipFile(shut[0], "w") as archive:
        archive.writestr("a.png", png(1))
    (tmp_path / "a.png").write_bytes(png(2))
    with tarfile.open(shut[1], "w:gz") as archive:
        archive.add(tmp_path / "a.png", "a.png")
    pq.write_table(pa.table({"image": [png(3)]}), shut[2])
    for path in shut:
        path.chmod(0)
    bound = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if bound and shutil.which("setpriv") is None:
        pytest.skip("root is bound by no permissions without 'setpriv' (util-linux)")
    command = [sys.executable, "-m", "toolkit", "curate", str(raw), str(tmp_path / "dataset"), "--quiet", "--workers", "1"]
    for expected in ({"kept": 1, "unreadable_container": 3}, {"kept": 4, "unreadable_container": 3}):
        done = subprocess.run([*bound, *command], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        rows = toolkit.open_dataset(tmp_path / "dataset").scan("catalog").collect()
        assert dict(rows.group_by(pl.coalesce("reason", "state")).len().iter_rows()) == expected
        for path in shut:
            path.chmod(0o644)
