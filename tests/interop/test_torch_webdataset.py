"""WebDataset tars that were exported, in a DataLoader whose workers share the tars: every image once."""

from __future__ import annotations

from pathlib import Path

import pytest
import webdataset
from conftest import tonnage
from torch.utils.data import DataLoader

import toolkit


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves tars open
@pytest.mark.parametrize("worker_count", [0, 2])
def test_workers_share_the_tars_and_give_every_image_once(sample_dataset: Path, tmp_path: Path, worker_count: int) -> None:
    done = tonnage("export", sample_dataset, tmp_path / "out", "--as", "webdataset", "--shard-size", "500 kB")
    assert done.code == 0, done.err
    tars = sorted(str(path) for path in (tmp_path / "out").glob("train-*.tar"))
    assert len(tars) > 3
    pipeline = webdataset.WebDataset(tars, shardshuffle=False, workersplitter=webdataset.split_by_worker).map(_told)
    given = list(DataLoader(pipeline, batch_size=None, num_workers=worker_count))
    rows = toolkit.open_dataset(sample_dataset).scan("images").filter(split="train").collect().to_dicts()
    assert sorted(map(tuple, given)) == sorted((row["image_id"], row["image"]["bytes"]) for row in rows)


def _told(sample: dict[str, bytes]) -> tuple[str, bytes]:
    beside = {"json", "cls", "txt", "seg.png"}
    (image,) = (value for name, value in sample.items() if name not in beside and name[0] != "_")
    return str(sample["__key__"]), image
