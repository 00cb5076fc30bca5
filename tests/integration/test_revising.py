"""Changes to a dataset that read no new source: each is a version, none loses or doubles an image, a purge leaves no byte."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import polars as pl
import pytest
from conftest import SAMPLE, tonnage
from distributed import Client, LocalCluster

import toolkit
from toolkit.curation.revising import removable
from toolkit.dataset.diffing import diff
from toolkit.dataset.tables import DatasetStore
from toolkit.dataset.verify import verify
from toolkit.errors import UsageError

SHARP = {"filters": {"entropy_bits": {"at_least": 6.5}}}


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0", host="127.0.0.1") as cluster,
        Client(cluster) as connected,
    ):
        yield connected


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The sample's sources, where a test may delete them."""
    place = tmp_path_factory.mktemp("sources")
    for name in ("raw", "more"):
        shutil.copytree(SAMPLE / name, place / name)
    return place


@pytest.fixture(scope="module")
def base(client, sources, tmp_path_factory):
    """Two batches; treat it as read-only."""
    place = tmp_path_factory.mktemp("base") / "dataset"
    toolkit.curate(sources / "raw", place, scheduler=client)
    toolkit.curate([sources / "raw", sources / "more"], place, scheduler=client)
    return place


@pytest.fixture
def place(base, tmp_path):
    """A copy to change."""
    return Path(shutil.copytree(base, tmp_path / "dataset"))


def contents(dataset):
    """Return what each image is, by its id: everything but where it lies."""
    facts = dataset.scan("images").drop("image", "batch").collect().sort("image_id", "source")
    return {row["image_id"]: row for row in facts.to_dicts()}


def payloads(dataset):
    return {
        row["image_id"]: row["image"]["bytes"] for row in dataset.scan("images").select("image_id", "image").collect().to_dicts()
    }


def test_compaction_merges_shards_and_changes_no_image(place):
    before = toolkit.open_dataset(place)
    facts, data = contents(before), payloads(before)
    compacted = toolkit.compact(place)
    assert (compacted.state.kind, compacted.version) == ("compact", before.version + 1)
    assert compacted.state.shard_count == len(compacted.shards) < before.state.shard_count
    assert contents(compacted) == facts
    assert payloads(compacted) == data
    assert {compacted.get(i) for i in range(len(compacted))} == set(data.values())
    assert verify(place).problems == ()
    assert verify(place).leftovers == ()
    assert contents(toolkit.open_dataset(place, before.version)) == facts
    assert toolkit.compact(place).version == compacted.version, "nothing is left to merge"


def test_a_removed_image_goes_with_its_copies_and_does_not_come_back(place, client, sources, tmp_path):
    before = toolkit.open_dataset(place)
    twin = before.scan("catalog").filter(pl.col("state") == "duplicate").collect().row(0, named=True)
    kept_id = twin["duplicate_of"]
    removed = toolkit.remove(place, f"source = '{twin['source']}'")
    rows = removed.scan("catalog").filter((pl.col("image_id") == kept_id) | (pl.col("source") == twin["source"])).collect()
    assert len(rows) >= 2
    assert set(rows["state"]) == {"dropped"}
    assert set(rows["reason"]) == {"removed"}
    assert kept_id not in contents(removed)
    assert len(removed) == len(before) - 1
    assert verify(place).problems == ()

    again = tmp_path / "elsewhere"
    again.mkdir()
    (again / "the-same.jpg").write_bytes(payloads(before)[kept_id])
    batch = toolkit.curate([sources / "raw", again], place, scheduler=client)
    assert kept_id not in contents(batch)
    found = batch.scan("catalog").filter(pl.col("source") == "elsewhere/the-same.jpg").collect().row(0, named=True)
    assert (found["state"], found["reason"]) == ("dropped", "removed")
    assert kept_id in contents(toolkit.open_dataset(place, before.version)), "an earlier version still has it"


def files_with(place, needles):
    """Return the files below a folder that hold any of some bytes."""
    return [path for path in place.rglob("*") if path.is_file() and any(needle in path.read_bytes() for needle in needles)]


def test_a_purge_leaves_no_byte_of_an_image_and_no_name(place):
    before = toolkit.open_dataset(place)
    toolkit.compact(place)
    victims = before.scan("images").filter(pl.col("label") == "dress").select("image_id", "source").collect()
    assert len(victims) > 3
    data = payloads(before)
    others = b"".join(data[image_id] for image_id in set(data) - set(victims["image_id"]))
    starts = [
        (data[image_id], offset) for image_id in victims["image_id"] for offset in range(600, len(data[image_id]) - 48, 977)
    ]
    reports = place / "_tonnage" / "reports"
    reports.mkdir(exist_ok=True)
    targets = pl.DataFrame({"problem": ["no_annotation"] * 2, "target": [victims["source"][0], "another"]})
    targets.write_parquet(reports / "0-unmatched.parquet")
    pieces = [piece for whole, offset in starts if (piece := whole[offset : offset + 48]) not in others]
    assert len(pieces) > len(victims)
    assert len(files_with(place, pieces)) >= 2, "the pieces are there to be found"

    purged = toolkit.remove(place, "label = 'dress'", purge=True)
    assert files_with(place, pieces) == []
    catalog = purged.scan("catalog").collect()
    assert set(victims["source"]) & set(catalog["source"]) == set()
    forgotten = catalog.filter(pl.col("source").str.starts_with("removed:"))
    assert len(forgotten) >= len(victims)
    told = [name for name in forgotten.columns if forgotten[name].null_count() < len(forgotten)]
    assert set(told) == {"source", "state", "reason", "image_id", "sha256", "batch"}
    names = set(victims["source"])
    assert pl.read_parquet(reports / "0-unmatched.parquet")["target"].to_list() == ["another"]
    for path in place.rglob("*.parquet"):
        texts = pl.read_parquet(path, glob=False).select(pl.col(pl.String))
        assert not any(names & set(texts[column]) for column in texts.columns), path
    assert purged.versions()["version"].to_list() == [purged.version]
    with pytest.raises(UsageError, match="has no version 0"):
        toolkit.open_dataset(place, 0)
    assert verify(place).problems == ()
    assert len(purged) == len(before) - len(victims)


def test_a_refused_file_that_was_purged_does_not_come_into_the_quarantine_again(client, tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "letter.jpg").write_bytes(b"private words, and no image")
    shutil.copy(next((SAMPLE / "raw" / "by_class" / "hat").glob("*.jpg")), tmp_path / "raw" / "a.jpg")
    toolkit.curate(tmp_path / "raw", tmp_path / "dataset", scheduler=client)
    toolkit.remove(tmp_path / "dataset", "source LIKE '%letter%'", purge=True)
    again = toolkit.curate(tmp_path / "raw", tmp_path / "dataset", scheduler=client)
    found = again.scan("catalog").filter(pl.col("source") == "raw/letter.jpg").collect().row(0, named=True)
    assert (found["state"], found["reason"]) == ("dropped", "removed")
    assert again.refusals().is_empty()
    assert files_with(tmp_path / "dataset", [b"private words"]) == []
    assert verify(tmp_path / "dataset").problems == ()


def test_a_purge_of_all_of_a_source_leaves_no_name_of_it(base, client, tmp_path):
    photos = sorted((SAMPLE / "photos").glob("*.jpg"))[:4]
    for name, some in (("holiday-in-1983", photos[:2]), ("work", photos[2:])):
        (tmp_path / name).mkdir()
        for photo in some:
            shutil.copy(photo, tmp_path / name)
        (tmp_path / name / "notes.md").write_text("of both")
    both, place = [tmp_path / "holiday-in-1983", tmp_path / "work"], tmp_path / "ds"
    toolkit.curate(both, place, scheduler=client)
    one = f"source = 'holiday-in-1983/{photos[0].name}'"
    toolkit.remove(place, one, purge=True)
    assert files_with(place, [b"holiday-in-1983"]), "another of its images is there still"
    purged = toolkit.remove(place, "source LIKE 'holiday-in-1983/%'", purge=True)
    assert len(purged) == 2
    assert files_with(place, [b"holiday-in-1983"]) == []
    texts = [pl.read_parquet(path, glob=False).select(pl.col(pl.String)) for path in place.rglob("*.parquet")]
    assert not any(column.str.contains("1983").any() for frame in texts for column in frame)
    assert verify(place).problems == ()
    again = toolkit.curate([tmp_path / "work"], place, scheduler=client)
    assert again.version == purged.version, "what stayed is still known"


def test_what_was_removed_can_still_be_purged(place):
    toolkit.remove(place, "label = 'dress'")
    purged = toolkit.remove(place, "label = 'dress'", purge=True)
    assert purged.scan("catalog").filter(pl.col("label") == "dress").collect().is_empty()
    assert purged.versions().height == 1


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("labl = 'x'", "cannot be asked of the catalog"),
        ("label = ", "cannot be asked of the catalog"),
        ("label = 'no such label'", "nothing in"),
        ("count(*) > 1", r"'count\(\*\) > 1' looks at several rows at once"),
        ("size_bytes > avg(size_bytes)", "looks at several rows at once"),
        ("row_number() over (order by source) < 5", "looks at several rows at once"),
        ("width_px = (select 3)", "cannot be asked of each image by itself|cannot be asked of the catalog"),
        ("1 = 1", "asks nothing of an image"),
        (pl.col("sha256").is_duplicated(), "the condition looks at several rows at once"),
    ],
)
@pytest.mark.parametrize("purge", [False, True])
def test_a_condition_that_cannot_be_asked_or_names_nothing_is_one_sentence(base, where, message, purge):
    with pytest.raises(UsageError, match=message) as caught:
        toolkit.remove(base, where, purge=purge)
    assert "\n" not in str(caught.value)
    assert len(toolkit.open_dataset(base).versions()) == 2


def test_other_thresholds_take_out_and_bring_back_without_decoding(place, monkeypatch):
    before = toolkit.open_dataset(place)
    facts, data = contents(before), payloads(before)
    strict = toolkit.redecide(place, SHARP)
    left = contents(strict)
    assert set(left) == {image_id for image_id, row in facts.items() if row["entropy_bits"] >= 6.5}
    assert strict.scan("catalog").filter(pl.col("reason") == "low_entropy_bits").collect().height > len(facts) - len(left) - 1
    assert all(left[image_id]["split"] == facts[image_id]["split"] for image_id in left)
    assert verify(place).problems == ()

    monkeypatch.setattr("toolkit.curation.sources.reading.read_whole", lambda *_: pytest.fail("a source was read"))
    back = toolkit.redecide(place, {})
    assert contents(back) == facts
    assert payloads(back) == data
    assert diff(place, before.version).states.is_empty()
    assert verify(place).problems == ()
    assert verify(place).leftovers == ()
    assert toolkit.redecide(place, {}).version == back.version, "nothing changes, so there is no version"


def test_what_was_never_kept_comes_from_its_source_and_goes_again(place, client):
    before = toolkit.open_dataset(place)
    twins = before.scan("catalog").filter(pl.col("state") == "duplicate").collect()
    every = toolkit.redecide(place, {"exact_duplicates": False}, scheduler=client)
    assert len(every) == len(before) + len(twins)
    assert every.state.curation["absent_image_count"] == 0
    assert verify(place, images=True).problems == ()
    assert contents(toolkit.redecide(place, {})) == contents(before)


def test_an_absent_source_leaves_its_image_as_it_was(base, client, tmp_path):
    mine = tmp_path / "mine"
    shutil.copytree(SAMPLE / "more", mine)
    place = tmp_path / "dataset"
    first = toolkit.curate(mine, place, SHARP, scheduler=client)
    dropped = first.scan("catalog").filter(pl.col("state") == "dropped").collect()
    assert len(dropped) > 2
    gone = dropped["source"].head(2).to_list()
    for source in gone:
        (tmp_path / source).unlink()
    every = toolkit.redecide(place, {}, scheduler=client)
    assert every.state.curation["absent_image_count"] == 2
    still = every.scan("catalog").filter(pl.col("source").is_in(gone)).collect()
    assert set(still["reason"]) == {"low_entropy_bits"}
    assert len(every) == len(first) + len(dropped) - 2
    assert verify(place).problems == ()


def test_the_last_of_many_copies_comes_in_where_the_others_are_gone(client, tmp_path):
    mine, place = tmp_path / "mine", tmp_path / "dataset"
    mine.mkdir()
    photo = min((SAMPLE / "photos").glob("*.jpg"))
    for number in range(7):
        shutil.copy(photo, mine / f"{number}.jpg")
    none = toolkit.curate(mine, place, {"min_side_px": 100_000}, scheduler=client)
    assert len(none) == 0
    for number in range(6):
        (mine / f"{number}.jpg").unlink()
    found = toolkit.redecide(place, {}, scheduler=client)
    kept = found.scan("catalog").filter(pl.col("state") == "kept").collect()
    assert kept["source"].to_list() == ["mine/6.jpg"]
    assert found.state.curation["absent_image_count"] == 6
    assert verify(place, images=True).problems == ()


def test_a_recipe_that_needs_the_images_again_is_refused(base):
    with pytest.raises(UsageError, match="'max_pixels' cannot be changed without reading the images again"):
        toolkit.redecide(base, {"max_pixels": 1000})
    done = tonnage("curate", base, "--redecide")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--redecide takes a DATASET alone and a recipe" in done.err


def test_a_refusal_comes_in_when_a_limit_is_raised_with_what_was_said_of_it(client, tmp_path):
    place = tmp_path / "dataset"
    small = toolkit.curate(SAMPLE / "raw", place, {"max_pixels": 9_000}, scheduler=client)
    refused = small.scan("quarantine").filter(pl.col("reason") == "too_many_pixels").collect()
    assert len(refused) > 20
    assert toolkit.retry(place, scheduler=client).version == small.version, "everything is refused as before"

    tried = toolkit.retry(place, {}, reason="too_many_pixels", scheduler=client)
    whole = toolkit.curate(SAMPLE / "raw", tmp_path / "whole", scheduler=client)
    assert tried.state.kind == "retry"
    assert verify(place).problems == ()
    assert set(contents(tried)) == set(contents(whole))
    states = [
        d.scan("catalog").group_by("state", "reason").len().collect().sort("state", "reason").rows() for d in (tried, whole)
    ]
    assert states[0] == states[1]
    for name in ("label", "captions", "licence"):
        said = [{image_id: row[name] for image_id, row in contents(d).items()} for d in (tried, whole)]
        assert said[0] == said[1]
    assert "removed" not in set(tried.scan("catalog").select("reason").collect()["reason"])


def test_an_unsafe_member_is_never_let_in_by_trying_again(base):
    with pytest.raises(UsageError, match=r"nothing in .* that can be tried again was refused for the reason 'unsafe_member'"):
        toolkit.retry(base, reason="unsafe_member")


@pytest.mark.parametrize("step", ["commit", "_commit"])
def test_a_revision_that_dies_changes_nothing(place, monkeypatch, step):
    before = toolkit.open_dataset(place)
    facts = contents(before)

    def dying(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(DatasetStore, step, dying)
        with pytest.raises(KeyboardInterrupt):
            toolkit.redecide(place, SHARP)
    assert contents(toolkit.open_dataset(place)) == facts
    assert verify(place).problems == ()
    assert verify(place, repair=True).removed_count > 0
    assert verify(place).leftovers == ()
    assert len(toolkit.redecide(place, SHARP)) < len(facts)


@pytest.mark.parametrize("seed", [1, 2])
def test_any_sequence_of_changes_keeps_the_accounts(place, seed):
    chance = random.Random(seed)
    start = contents(toolkit.open_dataset(place))
    removed: set[str] = set()
    for _ in range(5):
        step = chance.choice(["compact", "remove", "redecide", "redecide"])
        now = toolkit.open_dataset(place)
        if step == "compact":
            toolkit.compact(place)
        elif step == "remove":
            victim = chance.choice(sorted(contents(now)))
            removed.add(victim)
            toolkit.remove(place, f"image_id = '{victim}'", purge=chance.random() < 0.3)
        else:
            toolkit.redecide(place, {"filters": {"entropy_bits": {"at_least": chance.choice([0, 5.5, 6.5])}}})
        assert verify(place).problems == ()
    end = contents(toolkit.redecide(place, {}))
    assert not removed & set(end)
    assert set(end) <= set(start)
    assert all(end[image_id]["split"] == start[image_id]["split"] for image_id in end)
    if not any(state == "remove" for state in toolkit.open_dataset(place).versions()["kind"]):
        assert set(end) == set(start)


def test_a_difference_names_what_came_went_and_changed(base, place):
    toolkit.remove(place, "label = 'dress'")
    whole = diff(place, 0)
    assert [row["kind"] for row in whole.steps.to_dicts()] == ["batch", "remove"]
    assert set(whole.removed["label"]) == {"dress"}
    assert len(whole.added) > 0
    turned = diff(place, 2, 0)
    assert turned.added["image_id"].to_list() == whole.removed["image_id"].to_list()
    assert diff(place, 2, 2).states.is_empty()
    done = tonnage("diff", place, "0")
    assert done.code == 0
    assert "removed" in done.out
    assert tonnage("versions", place).out.count("\n") == 3


def test_what_a_source_lost_goes_on_request_and_comes_back_with_it(client, tmp_path):
    mine, place = tmp_path / "mine", tmp_path / "dataset"
    shutil.copytree(SAMPLE / "raw", mine)
    first = toolkit.curate(mine, place, scheduler=client)
    facts = contents(first)
    assert removable(place, vanished_from=[mine]).is_empty()
    with pytest.raises(UsageError, match="has vanished from its source; nothing was removed"):
        toolkit.remove(place, vanished_from=[mine])

    archive = mine / "archives" / "photos.zip"
    rows = first.scan("catalog").filter(pl.col("source").str.starts_with("mine/archives/photos.zip!")).collect()
    away = tmp_path / "photos.zip"
    archive.rename(away)
    of_archive = set(rows.filter(pl.col("state") == "kept")["image_id"])
    twins = (
        first.scan("catalog").filter((pl.col("state") == "duplicate") & ~pl.col("source").str.contains("photos.zip")).collect()
    )
    alive = of_archive & set(twins["duplicate_of"])
    gone = toolkit.remove(place, vanished_from=[mine])
    assert set(facts) - set(contents(gone)) == of_archive - alive
    assert len(of_archive - alive) > 2
    assert set(gone.scan("catalog").filter(pl.col("state") == "dropped").collect()["reason"]) == {"too_small", "vanished"}
    assert verify(place).problems == ()

    away.rename(archive)
    back = toolkit.curate(mine, place, scheduler=client)
    assert set(contents(back)) == set(facts)
    assert verify(place).problems == ()


def test_a_changed_file_is_a_new_image_and_the_old_one_can_be_told_and_removed(client, tmp_path):
    mine, place = tmp_path / "mine", tmp_path / "dataset"
    shutil.copytree(SAMPLE / "more", mine)
    first = toolkit.curate(mine, place, scheduler=client)
    victim = mine / "week2" / "dress" / "new_00.jpg"
    shutil.copy(SAMPLE / "photos" / min(path.name for path in (SAMPLE / "photos").glob("*.jpg")), victim)
    old = next(row["image_id"] for row in contents(first).values() if row["source"] == "mine/week2/dress/new_00.jpg")
    changed = toolkit.curate(mine, place, scheduler=client)
    assert len(changed) == len(first) + 1
    assert removable(place, superseded=True)["image_id"].to_list() == [old]
    done = tonnage("remove", place, "--superseded", "--dry-run")
    assert (done.code, done.out.splitlines()[-1]) == (0, "1 images, 1 occurrences would be removed")
    after = toolkit.remove(place, superseded=True)
    assert old not in contents(after)
    assert len(after) == len(first)
    assert toolkit.curate(mine, place, scheduler=client).version == after.version


@pytest.mark.parametrize("ways", [{}, {"where": "label = 'x'", "superseded": True}])
def test_what_to_remove_is_said_in_one_way(base, ways):
    with pytest.raises(UsageError, match="in exactly one way"):
        toolkit.remove(base, **ways)
