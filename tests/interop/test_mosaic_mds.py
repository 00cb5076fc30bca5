"""MDS, which is written by its description, read back by MosaicML's own library: image for image, label and facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import tonnage
from torch.utils.data import DataLoader

import toolkit
from toolkit.dataset.export.samples import told

try:
    import torchvision  # noqa: F401 -- streaming imports it, and uses none of what it has compiled
except RuntimeError:  # built for CUDA, beside a torch for CPUs: it stops at the operators that it takes for granted
    OPERATORS = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from streaming import StreamingDataset

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # streaming's own
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def exported(sample_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mds") / "out"
    done = tonnage("export", sample_dataset, out, "--as", "mds", "--shard-size", "500 kB")
    assert done.code == 0, done.err
    return out


def stored(sample_dataset: Path, split: str) -> dict[str, dict[str, object]]:
    rows = toolkit.open_dataset(sample_dataset).scan("images").filter(split=split).collect().to_dicts()
    return {row["image_id"]: row for row in rows}


@pytest.mark.parametrize("split", SPLITS)
def test_streaming_gives_every_image_label_and_fact(sample_dataset: Path, exported: Path, split: str) -> None:
    rows = stored(sample_dataset, split)
    read = StreamingDataset(local=str(exported / split), batch_size=1, validate_hash="sha256")
    samples = [read[at] for at in range(len(read))]
    assert {sample["image_id"]: sample["image"] for sample in samples} == {
        image_id: row["image"]["bytes"] for image_id, row in rows.items()
    }
    assert {sample["image_id"]: sample["label"] for sample in samples} == {
        image_id: row["label"] or "" for image_id, row in rows.items()
    }
    for sample in samples:
        assert sample["facts"] == json.loads(json.dumps(told(rows[sample["image_id"]])))


def _ids(samples: list[dict[str, object]]) -> list[str]:
    return [str(sample["image_id"]) for sample in samples]


def test_streaming_shuffles_it_over_the_workers_of_a_dataloader(sample_dataset: Path, exported: Path) -> None:
    read = StreamingDataset(local=str(exported / "train"), batch_size=4, shuffle=True)
    given = [image_id for ids in DataLoader(read, batch_size=4, num_workers=2, collate_fn=_ids) for image_id in ids]
    assert set(given) == set(stored(sample_dataset, "train"))
