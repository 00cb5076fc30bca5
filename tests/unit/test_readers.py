"""Readers of further formats: HEIF with and without its decoder, and the one that the guide shows, installed for real."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from distributed import Client, LocalCluster
from PIL import Image

from toolkit.curation import places
from toolkit.curation.decode import preview, reencode
from toolkit.curation.examine import Limits, examine
from toolkit.dataset import readers
from toolkit.dataset.decoding import decode_rgb
from toolkit.dataset.reading import open_dataset
from toolkit.engine import Engine
from toolkit.errors import ClusterError, ExtraError

GUIDE = ROOT / "docs" / "readers.md"


def heic(width: int = 320, height: int = 240, pages: int = 1) -> bytes:
    import pillow_heif

    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([120 + 60 * np.sin(x / 17), 120 + 50 * np.cos(y / 11), (x + y) % 256], axis=-1).astype(np.uint8)
    file = pillow_heif.HeifFile()
    for page in range(pages):
        file.add_frombytes("RGB", (width, height), np.roll(pixels, 40 * page, axis=1).tobytes())
    from io import BytesIO

    buffer = BytesIO()
    file.save(buffer, quality=80)
    return buffer.getvalue()


HEIC = heic()


def test_heif_is_read_like_any_other_format() -> None:
    found = examine(HEIC, name="a.heic")
    assert found.refusal is None
    facts = found.facts
    assert (facts["format"], facts["width_px"], facts["height_px"], facts["mode"], facts["bits"]) == ("heif", 320, 240, "RGB", 8)
    assert facts["flags"] == ["check_lenient"]
    assert facts["perceptual_hash"] is not None
    assert decode_rgb(HEIC).shape == (240, 320, 3)
    assert decode_rgb(HEIC, 64).shape == (64, 64, 3)
    assert preview(HEIC)[8:12] == b"WEBP"
    assert reencode(HEIC, longest_px=100)[0][:2] == b"\xff\xd8"
    assert examine(heic(pages=3), name="a.heic").facts["frame_count"] == 3


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_cut_heif_is_refused(share: float) -> None:
    found = examine(HEIC[: int(len(HEIC) * share)], name="a.heic").refusal
    assert found is not None
    assert found.reason == "truncated"


def test_a_heif_too_large_is_refused_by_its_header() -> None:
    found = examine(HEIC, name="a.heic", limits=Limits(max_pixels=1000)).refusal
    assert found is not None
    assert (found.stage, found.reason) == ("header", "too_many_pixels")


def test_without_its_decoder_heif_is_refused_with_the_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    found = examine(HEIC, name="a.heic").refusal
    assert found is not None
    assert (found.stage, found.reason) == ("sniff", "codec_missing")
    assert "pip install 'tonnage[heif]'" in found.message
    with pytest.raises(ExtraError, match="tonnage\\[heif\\]"):
        decode_rgb(HEIC)


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        (bytes(128) + b"DICM" + bytes(200), "unsupported_format", "docs/readers.md"),
        (b"%PDF-1.7" + bytes(50), "unsupported_format", "pdftoppm"),
        (b"\xff\x0a" + bytes(50), "codec_missing", "djxl"),
        (b"8BPS" + bytes(50), "unsupported_format", "PSD"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "vector_image", "rsvg-convert"),
    ],
)
def test_what_nothing_reads_is_refused_with_what_would_read_it(payload: bytes, code: str, words: str) -> None:
    found = examine(payload, name="a.jpg").refusal
    assert found is not None
    assert found.reason == code
    assert words in found.message


def test_a_broken_reader_is_one_sentence_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    readers.installed_readers.cache_clear()
    for value, words in (("no_such_module", "cannot be loaded"), ("string", "has no name, suffixes, sniff")):
        point = EntryPoint(name="odd", value=value, group=readers.GROUP)
        monkeypatch.setattr(readers, "entry_points", lambda group, point=point: [point])
        with pytest.raises(ExtraError, match=f"the reader 'odd' of {value} .*{words}"):
            readers.installed_readers()
    monkeypatch.undo()
    readers.installed_readers.cache_clear()


def installed_example(folder: Path) -> dict[str, str]:
    """Lay down the guide's package as an installer would, and return an environment in which it is found."""
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL))
    (folder / "tonnage_pgm.py").write_text(blocks["python"], encoding="utf-8")
    info = folder / "tonnage_pgm-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tonnage-pgm\nVersion: 1.0\n", encoding="utf-8")
    named = re.search(r'\[project.entry-points."(.*)"\]\n(\w+) = "(\w+)"', blocks["toml"])
    assert named is not None
    (info / "entry_points.txt").write_text(f"[{named[1]}]\n{named[2]} = {named[3]}\n", encoding="utf-8")
    return os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


_CHECK = """
import toolkit, numpy as np
dataset = toolkit.open_dataset("dataset")
kept = dataset.scan("catalog").filter(state="kept").select("source", "format", "width_px", "flags").collect()
print(sorted(kept.rows()))
print(sorted(zip(dataset.refusals()["source"], dataset.refusals()["reason"])))
batch = next(iter(dataset.loader(batch_size=1, split=None, shuffle=False)))
print(batch.images[0].shape, batch.images[0][5, 7].tolist())
"""


def test_the_reader_of_the_guide_reads_from_curation_to_training(tmp_path: Path) -> None:
    environment = installed_example(tmp_path)
    raw = tmp_path / "raw"
    raw.mkdir()
    pixels = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)
    (raw / "a.pgm").write_bytes(b"P5\n60 40\n255\n" + pixels.tobytes())
    (raw / "cut.pgm").write_bytes(b"P5\n60 40\n255\n" + pixels.tobytes()[:-9])
    (raw / "bomb.pgm").write_bytes(b"P5\n60000 40000\n255\n")

    def ran(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    ran(sys.executable, "-m", "toolkit", "curate", "raw", "dataset", "--quiet", "--workers", "1")
    lines = ran(sys.executable, "-c", _CHECK).splitlines()
    assert lines == [
        "[('raw/a.pgm', 'pgm', 60, ['check_lenient'])]",
        "[('raw/bomb.pgm', 'too_many_pixels'), ('raw/cut.pgm', 'truncated')]",
        "(40, 60, 3) [12, 12, 12]",
    ]


def test_once_its_decoder_is_installed_a_retry_brings_heif_in(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.heic").write_bytes(HEIC)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(tmp_path / "raw" / "b.png")
    without = tmp_path / "without"
    without.mkdir()
    (without / "pillow_heif.py").write_text("raise ImportError('not installed')\n", encoding="utf-8")

    def ran(*arguments: str, path: Path = ROOT) -> str:
        environment = os.environ | {"PYTHONPATH": f"{path}{os.pathsep}{ROOT}"}
        command = [sys.executable, "-m", "toolkit", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    ran("curate", "raw", "dataset", "--quiet", "--workers", "1", path=without)
    listed = json.loads(ran("quarantine", "list", "dataset", "--json"))
    assert listed["by_reason"] == {"codec_missing": 1}
    assert "pip install 'tonnage[heif]'" in listed["refusals"][0]["message"]
    ran("quarantine", "export", "dataset", "out")
    assert [path.read_bytes() for path in (tmp_path / "out").glob("*.heic")] == [HEIC]
    ran("quarantine", "retry", "dataset", "--quiet", "--workers", "1")
    dataset = open_dataset(tmp_path / "dataset")
    assert dataset.version == 1
    assert sorted(dataset.scan("images").select("format").collect()["format"]) == ["heif", "png"]
    assert dataset.refusals().is_empty()
    assert len(open_dataset(tmp_path / "dataset", version=0)) == 1


def test_a_worker_that_reads_other_formats_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        running = Engine(client=client, is_own=False)
        places.check_workers(running, [])
        monkeypatch.setattr(places, "_readers", lambda: "heif,dicom,heif=True")
        with pytest.raises(
            ClusterError, match=r"the worker at '.*' reads other formats \(heif,dicom,heif=True\) than this process"
        ):
            places.check_workers(running, [])
