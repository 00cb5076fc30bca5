"""The Croissant description, validated and read by MLCommons' own library."""

from __future__ import annotations

import json
import shutil
import warnings

import mlcroissant
import pytest

import toolkit
from toolkit.dataset.shards import file_sha256

pytestmark = pytest.mark.filterwarnings("ignore")  # of mlcroissant and rdflib


@pytest.fixture(scope="module")
def dataset(sample_dataset):
    return toolkit.open_dataset(sample_dataset)


def described(dataset):
    return json.loads((dataset.location.path / "croissant.json").read_text(encoding="utf-8"))


def test_the_description_is_valid_and_its_records_are_the_images(dataset):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mlcroissant.Dataset(jsonld=str(dataset.location.path / "croissant.json"))
        assert found.metadata.ctx.issues.errors == set()
        records = {record["images/image_id"].decode(): record for record in found.records("images")}
    rows = {row["image_id"]: row for row in dataset.scan("images").drop("image").collect().to_dicts()}
    assert set(records) == set(rows)
    for image_id, row in rows.items():
        record = records[image_id]
        assert record["images/width_px"] == row["width_px"]
        assert (record["images/label"] or b"").decode() == (row["label"] or "")
        assert record["images/image"].size[0] > 0


def test_files_are_named_with_their_hashes_and_the_counts_are_those_of_the_tables(dataset):
    facts = described(dataset)
    files = [entry for entry in facts["distribution"] if entry["@type"] == "cr:FileObject"]
    assert {entry["contentUrl"]: entry["sha256"] for entry in files} == {
        f"images/{path.name}": file_sha256(path) for path in dataset.shard_paths()
    }
    counts = {entry["name"]: entry["value"] for entry in facts["variableMeasured"]}
    assert sum(count for name, count in counts.items() if name.startswith("occurrences")) == dataset.profile.source_count
    assert sum(count for name, count in counts.items() if name.startswith("images")) == len(dataset)
    properties = {entry["name"]: entry["value"] for entry in facts["additionalProperty"]}
    assert json.loads(properties["recipe"]) == dict(dataset.state.recipe)
    assert facts["version"] == f"{dataset.version}.0.0"


def test_a_later_version_names_its_own_shards_alone(dataset, tmp_path):
    place = shutil.copytree(dataset.location.path, tmp_path / "dataset")
    smaller = toolkit.remove(place, "split = 'test'")
    facts = described(smaller)
    names = {entry["contentUrl"] for entry in facts["distribution"] if entry["@type"] == "cr:FileObject"}
    assert names == {f"images/{path.name}" for path in smaller.shard_paths()}
    assert len(list((place / "images").glob("*.parquet"))) > len(names), "the earlier shards are still there"
    assert facts["version"] == "1.0.0"
