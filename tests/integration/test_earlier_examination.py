"""A dataset whose images were hashed in another way: nothing is compared across the two ways, everything else goes on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import toolkit
from toolkit.curation.revising import compact, redecide, remove, retry
from toolkit.dataset import commits
from toolkit.dataset.schema import EXAMINATION_VERSION
from toolkit.errors import DatasetError


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three images and a refusal, as the release before wrote it."""
    root = tmp_path_factory.mktemp("earlier")
    (root / "raw").mkdir()
    for seed in range(3):
        draw = np.random.default_rng(seed)
        Image.fromarray(draw.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(root / "raw" / f"{seed}.png")
    (root / "raw" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commits, "EXAMINATION_VERSION", EXAMINATION_VERSION - 1)
        toolkit.curate(root / "raw", root / "dataset", workers=1)
    return root


def test_nothing_is_compared_with_hashes_of_another_release(earlier: Path) -> None:
    dataset = earlier / "dataset"
    said = r"hashed in another way .* curate it into a new dataset: tonnage curate \S+dataset NEW"
    with pytest.raises(DatasetError, match=said):
        toolkit.curate(earlier / "raw", dataset, workers=1)
    with pytest.raises(DatasetError, match=said):
        retry(dataset, workers=1)
    with pytest.raises(DatasetError, match=said):
        redecide(dataset, {"near_duplicates": {"transforms": "all"}}, workers=1)
    assert toolkit.open_dataset(dataset).version == 0


def test_what_compares_nothing_goes_on_and_the_way_of_hashing_stays_told(earlier: Path) -> None:
    dataset = earlier / "dataset"
    removed = remove(dataset, where="source = 'raw/0.png'")
    assert (removed.version, len(removed)) == (1, 2)
    assert removed.state.examination_version == EXAMINATION_VERSION - 1
    assert redecide(dataset, {"min_side_px": 30}, workers=1).state.examination_version == EXAMINATION_VERSION - 1
    assert compact(dataset, workers=1).state.examination_version == EXAMINATION_VERSION - 1


def test_an_earlier_dataset_is_a_source_of_a_new_one(earlier: Path) -> None:
    anew = toolkit.curate(earlier / "dataset", earlier / "anew", workers=1)
    assert anew.state.examination_version == EXAMINATION_VERSION
    assert len(anew) == len(toolkit.open_dataset(earlier / "dataset"))
