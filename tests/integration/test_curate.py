"""``toolkit.curate`` on real input: the sample against its truth, batches, determinism, changes while it runs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SAMPLE
from distributed import Client, LocalCluster
from PIL import Image

import toolkit
from toolkit.curation.history import KnownSources
from toolkit.curation.revising.removal import removable
from toolkit.curation.sources import OtherFile, discover
from toolkit.errors import MissingError, RefusedShareError, UsageError

TRUTH = json.loads((SAMPLE / "TRUTH.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def client():
    """A cluster that is there already, of two worker processes."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1") as cluster,
        Client(cluster) as connected,
    ):
        yield connected


@pytest.fixture(scope="module")
def curated(client, tmp_path_factory):
    """The sample in two batches, curated by two workers; treat it as read-only."""
    place = tmp_path_factory.mktemp("curated") / "dataset"
    toolkit.curate(SAMPLE / "raw", place, scheduler=client)
    return toolkit.curate([SAMPLE / "more"], place, scheduler=client)


def photo(seed, size=(96, 64)):
    """A smooth picture that no other seed's is like."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **{"quality": 90} | options)
    return path


def catalog(dataset):
    return {row["source"]: row for row in dataset.scan("catalog").collect().iter_rows(named=True)}


def states(dataset):
    return {source: (row["state"], row["reason"]) for source, row in catalog(dataset).items()}


def without_etags(dataset, table):
    return dataset.scan(table).drop("source_etag", strict=False).collect()


def claimed(row, field):
    """A catalog value in the form in which the truth states it."""
    if field == "source_raw_hex":
        return row["source_raw"].hex()
    if field == "metadata":
        return {pair["key"]: pair["value"] for pair in row["metadata"]}
    return sorted(row[field]) if field == "flags" else row[field]


@pytest.mark.parametrize("batch", ["raw", "more"])
def test_every_occurrence_is_what_the_truth_says(curated, batch):
    rows = catalog(curated)
    truth = {f"{batch}/{key}": facts for key, facts in TRUTH[batch]["images"].items()}
    assert {source for source in rows if source.startswith(f"{batch}/")} == set(truth)
    wrong = []
    for source, facts in truth.items():
        row = rows[source]
        for field, value in facts.items():
            if field == "duplicate_of":
                original = value if batch == "more" else f"raw/{value}"
                is_right = row["duplicate_of"] == rows[original]["image_id"] and rows[original]["state"] == "kept"
            elif field == "near_group":
                continue
            else:
                is_right = claimed(row, field) == (sorted(value) if field == "flags" else value)
            wrong += [] if is_right else [(source, field, value, row.get(field, None))]
        if facts["state"] == "kept":
            wrong += [(source, field, None, row[field]) for field in ("reason", "duplicate_of") if row[field] is not None]
    assert wrong == []


def test_near_groups_are_those_of_the_truth_and_no_other(curated):
    kept = {source: row for source, row in catalog(curated).items() if row["state"] == "kept"}
    expected: dict[str, set[str]] = {}
    for batch in ("raw", "more"):
        for key, facts in TRUTH[batch]["images"].items():
            if "near_group" in facts:
                expected.setdefault(facts["near_group"], set()).add(f"{batch}/{key}")
    found: dict[str, set[str]] = {}
    for source, row in kept.items():
        found.setdefault(row["duplicate_group"], set()).add(source)
    assert {frozenset(group) for group in found.values() if len(group) > 1} == {frozenset(group) for group in expected.values()}
    for group, members in found.items():
        assert len({kept[source]["split"] for source in members}) == 1
        assert group in {kept[source]["image_id"] for source in members}


def test_the_accounts_balance(curated):
    profile = curated.profile
    assert sum(profile.states.values()) == profile.source_count == sum(len(TRUTH[batch]["images"]) for batch in ("raw", "more"))
    assert (
        profile.states["kept"] == profile.image_count == len(curated) == curated.scan("images").select(pl.len()).collect().item()
    )
    assert len(curated.refusals()) == profile.states["quarantined"]
    others: dict[str, int] = {}
    for kind in TRUTH["raw"]["other_files"].values():
        others[kind] = others.get(kind, 0) + 1
    assert dict(profile.other_files) == others
    assert curated.store.state(0).curation["unmatched_annotation_count"] == len(TRUTH["raw"]["unmatched_annotations"])


def test_images_hold_the_original_bytes_in_shuffled_order_by_split(curated):
    for path in curated.shard_paths():
        table = pq.read_table(path)
        assert {row["split"] for row in table.select(["split"]).to_pylist()} == {path.name.split("-")[0]}
        for image, sha256 in zip(table["image"].to_pylist(), table["sha256"].to_pylist(), strict=True):
            assert hashlib.sha256(image["bytes"]).hexdigest() == sha256
    train = next(path for path in curated.shard_paths() if path.name.startswith("train"))
    sources = pq.read_table(train, columns=["source"])["source"].to_pylist()
    assert sources != sorted(sources)


def test_refused_bytes_are_kept(curated):
    assert curated.refused_bytes("raw/hazards/text.jpg") == (SAMPLE / "raw/hazards/text.jpg").read_bytes()
    assert curated.refused_bytes("raw/archives/cut_short.zip") == (SAMPLE / "raw/archives/cut_short.zip").read_bytes()


def test_one_local_worker_and_the_command_line_give_the_same_dataset(curated, sample_dataset):
    first, other = toolkit.open_dataset(curated.location, 0), toolkit.open_dataset(sample_dataset)
    assert first.state.batch == other.state.batch
    assert [path.name for path in first.shard_paths()] == [path.name for path in other.shard_paths()]
    for table in ("images", "catalog", "quarantine"):
        assert first.scan(table).collect().equals(other.scan(table).collect()), table


def test_repeating_adds_nothing(curated, client):
    before = sorted(path for path in curated.location.path.rglob("*") if path.name != "write.lock")
    again = toolkit.curate([SAMPLE / "raw", SAMPLE / "more"], curated.location, scheduler=client)
    assert again.version == curated.version == 1
    assert sorted(path for path in curated.location.path.rglob("*") if path.name != "write.lock") == before


def test_a_copy_elsewhere_gives_the_same_dataset_and_adds_no_image_to_the_first(curated, client, tmp_path):
    copy = tmp_path / "elsewhere" / "more"
    shutil.copytree(SAMPLE / "more", copy)
    os.utime(copy / "again" / "copy_0.jpg", (0, 0))
    one = toolkit.curate(copy, tmp_path / "one", scheduler=client)
    two = toolkit.curate(SAMPLE / "more", tmp_path / "two", scheduler=client)
    assert one.state.batch == two.state.batch
    for table in ("images", "catalog", "quarantine"):
        assert without_etags(one, table).equals(without_etags(two, table)), table
    both = toolkit.curate(copy, shutil.copytree(curated.location.path, tmp_path / "both"), scheduler=client)
    assert len(both) == len(curated)
    assert set(catalog(both)) - set(catalog(curated)) == {
        source.replace("more/", "more~2/", 1) for source in catalog(curated) if source.startswith("more/")
    }


def test_the_split_of_an_image_does_not_depend_on_what_came_with_it(curated, client, tmp_path):
    alone = toolkit.curate(SAMPLE / "raw" / "by_class", tmp_path / "alone", scheduler=client)
    together = dict(curated.scan("images").select("image_id", "split").collect().iter_rows())
    assert all(
        together[image_id] == split for image_id, split in alone.scan("images").select("image_id", "split").collect().iter_rows()
    )


def test_the_card_names_the_splits_and_balances(curated):
    card = (curated.location.path / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in curated.shard_paths()] == re.findall(r"^ +- images/(.+)$", card, re.MULTILINE)
    assert f"| **found** | **{curated.profile.source_count}** |" in card
    assert "<script>" not in card


def test_rates_are_recorded(curated):
    rates = curated.profile.curation
    assert rates["worker_count"] == 2
    assert rates["cpu_s"] > 0
    assert rates["images_per_s"] * rates["elapsed_s"] == pytest.approx(len(TRUTH["more"]["images"]))


def test_chroma_and_detail_alone_keep_images_apart_and_metadata_alone_does_not(client, tmp_path):
    raw = tmp_path / "raw"
    gray = photo(1).convert("YCbCr")
    luma, blue, red = gray.split()
    save(raw / "a.jpg", Image.merge("YCbCr", (luma, blue, red)), subsampling=0)
    save(raw / "b.jpg", Image.merge("YCbCr", (luma, red, blue)), subsampling=0)
    exif = Image.Exif()
    exif[0x010E] = "described"
    save(raw / "c.jpg", Image.merge("YCbCr", (luma, blue, red)), subsampling=0, exif=exif)
    found = catalog(toolkit.curate(raw, tmp_path / "dataset", scheduler=client))
    assert found["raw/a.jpg"]["luma_hash"] == found["raw/b.jpg"]["luma_hash"]
    assert [found[f"raw/{name}.jpg"]["state"] for name in "abc"] == ["kept", "kept", "duplicate"]
    assert found["raw/c.jpg"]["duplicate_of"] == found["raw/a.jpg"]["image_id"]


def test_a_later_batch_is_compared_with_the_pixels_of_earlier_ones(client, tmp_path):
    save(tmp_path / "one" / "z.jpg", photo(2))
    exif = Image.Exif()
    exif[0x010E] = "described"
    save(tmp_path / "two" / "a.jpg", photo(2), exif=exif)
    save(tmp_path / "two" / "b.jpg", photo(3))
    toolkit.curate(tmp_path / "one", tmp_path / "dataset", scheduler=client)
    dataset = toolkit.curate(tmp_path / "two", tmp_path / "dataset", scheduler=client)
    rows = catalog(dataset)
    assert rows["two/a.jpg"]["state"] == "duplicate"
    assert rows["two/a.jpg"]["duplicate_of"] == rows["one/z.jpg"]["image_id"]
    assert rows["two/b.jpg"]["state"] == "kept"


def test_a_changed_source_comes_in_again_and_a_touched_one_does_not(client, tmp_path):
    raw = tmp_path / "raw"
    save(raw / "a.jpg", photo(1))
    save(raw / "b.jpg", photo(2))
    toolkit.curate(raw, tmp_path / "dataset", scheduler=client)
    os.utime(raw / "a.jpg", (1, 1))
    assert toolkit.curate(raw, tmp_path / "dataset", scheduler=client).version == 0
    save(raw / "b.jpg", photo(3))
    dataset = toolkit.curate(raw, tmp_path / "dataset", scheduler=client)
    assert dataset.version == 1
    assert dataset.scan("catalog").filter(pl.col("source") == "raw/b.jpg").collect()["state"].to_list() == ["kept", "kept"]
    assert len(dataset) == 3


def test_other_files_are_counted_once_and_annotations_of_another_purpose_as_what_they_are(client, tmp_path):
    raw = tmp_path / "raw"
    save(raw / "a.jpg", photo(1))
    (raw / "notes.md").write_text("notes")
    (raw / "prices.csv").write_text("item,price\nx,1\n")
    (raw / "labels.csv").write_text("file_name,label\na.jpg,one\nb.jpg,two\n")
    first = toolkit.curate(raw, tmp_path / "dataset", scheduler=client)
    others = {"annotation": 1, "skipped(no_annotation)": 1, "skipped(other)": 1}
    assert dict(first.state.other_files) == others
    assert first.state.curation["unmatched_annotation_count"] == 1
    save(raw / "b.jpg", photo(2))
    (raw / "more.md").write_text("more notes")
    second = toolkit.curate(raw, tmp_path / "dataset", scheduler=client)
    assert dict(second.state.other_files) == others | {"skipped(other)": 2}
    assert second.state.curation["unmatched_annotation_count"] == 0
    assert catalog(second)["raw/b.jpg"]["label"] == "two"


def test_bytes_that_change_while_they_are_read_are_quarantined_and_their_twins_kept(client, tmp_path):
    raw = tmp_path / "raw"
    for number in range(4):
        save(raw / f"{number}.jpg", photo(number))
    shutil.copy(raw / "1.jpg", raw / "twin of 1.jpg")

    def change(stage, done, total, detail):
        if stage == "write" and not (tmp_path / "changed").exists():
            (tmp_path / "changed").touch()
            save(raw / "1.jpg", photo(99))
            before = (raw / "2.jpg").stat()
            (raw / "2.jpg").write_bytes((raw / "2.jpg").read_bytes()[:-3] + b"xyz")  # same size, same time: only the hash tells
            os.utime(raw / "2.jpg", ns=(before.st_atime_ns, before.st_mtime_ns))
            (raw / "3.jpg").unlink()

    dataset = toolkit.curate(raw, tmp_path / "dataset", scheduler=client, progress=change)
    changed = ("quarantined", "changed_while_read")
    kept = ("kept", None)
    found = {"raw/0.jpg": kept, "raw/1.jpg": changed, "raw/2.jpg": changed, "raw/3.jpg": changed, "raw/twin of 1.jpg": kept}
    assert states(dataset) == found
    assert set(dataset.refusals().select("stage", "reason").rows()) == {("pack", "changed_while_read")}
    assert sorted(dataset.scan("images").collect()["source"]) == ["raw/0.jpg", "raw/twin of 1.jpg"]


def test_resized_images_are_smaller_with_their_boxes_and_their_own_facts(client, tmp_path):
    raw = tmp_path / "raw"
    exif = Image.Exif()
    exif[0x0112] = 6
    save(raw / "a.jpg", photo(1, (200, 100)), exif=exif)
    save(raw / "b.png", photo(2, (40, 30)))
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 200, "height": 100}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [20, 10, 60, 40]}],
        "categories": [{"id": 1, "name": "bird"}],
    }
    (raw / "coco.json").write_text(json.dumps(document))
    recipe = {"keep": "resized", "resize": {"longest_px": 100, "quality": 80}}
    dataset = toolkit.curate(raw, tmp_path / "dataset", recipe, scheduler=client)
    rows = {row["source"]: row for row in dataset.scan("images").collect().iter_rows(named=True)}
    turned = rows["raw/a.jpg"]
    with Image.open(io.BytesIO(turned["image"]["bytes"]), formats=["JPEG"]) as image:
        assert image.size == (50, 100) == (turned["width_px"], turned["height_px"])
    assert turned["orientation"] == 1
    assert turned["encoding"] == "jpeg:q=80:longest=100"
    assert turned["size_bytes"] == len(turned["image"]["bytes"])
    assert turned["boxes"] == [{"x_px": 25.0, "y_px": 10.0, "width_px": 20.0, "height_px": 30.0, "label": "bird"}]
    assert (rows["raw/b.png"]["width_px"], rows["raw/b.png"]["format"]) == (40, "jpeg")
    assert catalog(dataset)["raw/a.jpg"]["orientation"] == 6
    assert catalog(dataset)["raw/a.jpg"]["pixel_hash"] is not None


def test_shards_are_cut_by_bytes_and_near_duplicates_dropped_when_the_recipe_says_so(client, tmp_path):
    raw = tmp_path / "raw"
    for number in range(40):
        save(raw / f"{number:02d}.jpg", photo(number))
    save(raw / "near.jpg", photo(7, (192, 128)))
    recipe = {"shard_bytes": "8 KiB", "near_duplicates": {"action": "drop"}, "splits": {"train": 1}, "licence": "CC0"}
    dataset = toolkit.curate(raw, tmp_path / "dataset", recipe, scheduler=client)
    assert states(dataset)["raw/07.jpg"] == ("dropped", "near_duplicate")
    assert len(dataset) == 40
    assert len(dataset.shard_paths()) > 4
    assert max(pq.read_metadata(path).num_rows for path in dataset.shard_paths()) < 20
    assert dataset.scan("images").select("licence").unique().collect()["licence"].to_list() == ["CC0"]


def test_passing_the_refused_share_commits_and_then_raises(client, tmp_path):
    save(tmp_path / "raw" / "a.jpg", photo(1))
    (tmp_path / "raw" / "b.jpg").write_bytes(b"no image")
    with pytest.raises(RefusedShareError, match=r"1 of 2 images were refused \(50 %\), more than the recipe's 10 %"):
        toolkit.curate(tmp_path / "raw", tmp_path / "dataset", {"max_refused_share": "10 %"}, scheduler=client)
    assert len(toolkit.open_dataset(tmp_path / "dataset")) == 1


def test_a_table_of_its_own_and_a_single_file_are_sources_too(client, tmp_path):
    payload = io.BytesIO()
    photo(1).save(payload, "PNG")
    table = pa.table({"image": [{"bytes": payload.getvalue(), "path": "x.png"}], "caption": ["a blur"], "label": ["blur"]})
    pq.write_table(table, tmp_path / "t.parquet")
    single = save(tmp_path / "single.jpg", photo(2))
    dataset = toolkit.curate([tmp_path / "t.parquet", single], tmp_path / "dataset", scheduler=client)
    rows = catalog(dataset)
    assert {source: row["label"] for source, row in rows.items()} == {"t.parquet#0": "blur", "single.jpg": None}
    assert rows["t.parquet#0"]["captions"] == ["a blur"]
    assert toolkit.curate([tmp_path / "t.parquet"], tmp_path / "dataset", scheduler=client).version == 0


def test_curating_a_few_images_imports_no_pandas(tmp_path):
    """It takes a second of every process, and nothing here needs it: a small job is to start quickly."""
    (tmp_path / "raw").mkdir()
    Image.new("RGB", (64, 64), (10, 200, 30)).save(tmp_path / "raw" / "a.png")
    code = (
        "import sys, toolkit\n"
        "def main():\n"
        f"    toolkit.curate({str(tmp_path / 'raw')!r}, {str(tmp_path / 'd')!r}, workers=1)\n"
        "    assert 'pandas' not in sys.modules, 'pandas was imported'\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def kept(dataset):
    rows = dataset.scan("catalog").filter(pl.col("state") == "kept").select("source").collect()
    return sorted(rows["source"])


def test_folders_of_one_name_stay_apart_over_runs_and_whatever_the_order(client, tmp_path):
    place, one, two = tmp_path / "dataset", tmp_path / "a" / "photos", tmp_path / "b" / "photos"
    save(one / "IMG_0.jpg", photo(1))
    save(two / "IMG_0.jpg", photo(2))
    toolkit.curate(one, place, scheduler=client)
    both = toolkit.curate(two, place, scheduler=client)
    assert kept(both) == ["photos/IMG_0.jpg", "photos~2/IMG_0.jpg"]
    assert removable(place, superseded=True).is_empty()
    assert removable(place, vanished_from=[two]).is_empty()
    assert toolkit.curate([two, one], place, scheduler=client).version == both.version
    assert toolkit.curate([two, two / "."], place, scheduler=client).version == both.version
    (two / "IMG_0.jpg").rename(two / "IMG_1.jpg")
    assert removable(place, vanished_from=[two])["source"].to_list() == ["photos~2/IMG_0.jpg"]
    save(one / "IMG_0.jpg", photo(3))
    toolkit.curate([two, one], place, scheduler=client)
    assert removable(place, superseded=True)["source"].to_list() == ["photos/IMG_0.jpg"]


def test_a_place_that_moved_is_the_same_source_and_another_in_its_stead_is_not(client, tmp_path):
    place, old, new = tmp_path / "dataset", tmp_path / "a" / "photos", tmp_path / "b" / "photos"
    save(old / "IMG_0.jpg", photo(1))
    save(old / "IMG_1.jpg", photo(2))
    first = toolkit.curate(old, place, scheduler=client)
    new.parent.mkdir()
    shutil.move(old, new)
    with pytest.raises(MissingError):
        removable(place, vanished_from=[old])
    assert toolkit.curate(new, place, scheduler=client).version == first.version
    (new / "IMG_1.jpg").unlink()
    assert removable(place, vanished_from=[new])["source"].to_list() == ["photos/IMG_1.jpg"]
    shutil.rmtree(new)
    save(old / "IMG_0.jpg", photo(3))
    assert kept(toolkit.curate(old, place, scheduler=client)) == ["photos/IMG_0.jpg", "photos/IMG_1.jpg", "photos~2/IMG_0.jpg"]
    with pytest.raises(UsageError, match="is no source of"):
        removable(place, vanished_from=[tmp_path / "a"])


def test_a_dataset_that_remembers_no_places_goes_on_with_those_that_it_knows_by_their_files(client, tmp_path):
    place, one, two = tmp_path / "dataset", tmp_path / "a" / "photos", tmp_path / "b" / "photos"
    save(one / "IMG_0.jpg", photo(1))
    save(two / "IMG_0.jpg", photo(2))
    first = toolkit.curate(one, place, scheduler=client)
    remembered = place / "_tonnage" / "sources.json"
    assert json.loads(remembered.read_text()) == {"photos": str(one)}
    remembered.unlink()
    assert removable(place, vanished_from=[one]).is_empty()
    assert toolkit.curate(one, place, scheduler=client).version == first.version
    remembered.unlink()
    assert kept(toolkit.curate(two, place, scheduler=client)) == ["photos/IMG_0.jpg", "photos~2/IMG_0.jpg"]


def test_a_link_is_a_name_of_its_own(client, tmp_path):
    place, link = tmp_path / "dataset", tmp_path / "newest"
    for day in (1, 2):
        save(tmp_path / f"day{day}" / "IMG_0.jpg", photo(day))
    link.symlink_to(tmp_path / "day1")
    toolkit.curate(link, place, scheduler=client)
    link.unlink()
    link.symlink_to(tmp_path / "day2")
    os.utime(link / "IMG_0.jpg")
    assert kept(toolkit.curate(link, place, scheduler=client)) == ["newest/IMG_0.jpg"] * 2


def test_a_later_batch_is_decided_by_the_last_recipe_unless_one_is_named(client, tmp_path, caplog):
    raw, place = tmp_path / "raw", tmp_path / "dataset"
    save(raw / "a.jpg", photo(1))
    strict = toolkit.curate(raw, place, {"min_side_px": 80}, client)
    save(raw / "b.jpg", photo(2))
    assert states(toolkit.curate(raw, place, scheduler=client))["raw/b.jpg"] == ("dropped", "too_small")
    assert "that of version 0 of 'dataset' is used again (it sets min_side_px)" in caplog.text
    save(raw / "c.jpg", photo(3))
    assert states(toolkit.curate(raw, place, {}, client))["raw/c.jpg"] == ("kept", None)
    caplog.clear()
    save(raw / "d.jpg", photo(4))
    assert states(toolkit.curate(raw, place, scheduler=client))["raw/d.jpg"] == ("kept", None)
    assert not caplog.messages
    assert strict.version == 0


def test_another_recipe_without_new_images_is_not_passed_over_in_silence(client, tmp_path, caplog):
    raw, place = tmp_path / "raw", tmp_path / "dataset"
    save(raw / "a.jpg", photo(1))
    first = toolkit.curate(raw, place, scheduler=client)
    assert toolkit.curate(raw, place, {}, client).version == first.version
    assert not caplog.messages
    assert toolkit.curate(raw, place, {"min_side_px": 500}, client).version == first.version
    assert "the recipe's 'min_side_px' was not applied" in caplog.text
    assert "--redecide" in caplog.text
    caplog.clear()
    toolkit.curate(raw, place, {"max_frames": 5}, client)
    assert "curate the sources into a new dataset" in caplog.text


def test_archives_of_one_name_are_read_once_each(client, tmp_path):
    place = tmp_path / "dataset"
    for number, folder in enumerate("ab"):
        image = save(tmp_path / folder / "in.jpg", photo(number))
        with tarfile.open(tmp_path / folder / "x.tar.gz", "w:gz") as archive:
            archive.add(image, "in.jpg")
        toolkit.curate(tmp_path / folder / "x.tar.gz", place, scheduler=client)
    assert kept(toolkit.open_dataset(place)) == ["x.tar.gz!in.jpg", "x~2.tar.gz!in.jpg"]
    known = KnownSources(toolkit.open_dataset(place))
    for unit in discover([tmp_path / "b" / "x.tar.gz"], names=["x~2.tar.gz"]):
        assert isinstance(unit, OtherFile) or known.unread(unit) is None
