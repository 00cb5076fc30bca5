"""Every stage, done again where its worker died: what hangs or kills a decoder is found, and its bytes are kept."""

import os
from contextlib import contextmanager

from conftest import SAMPLE
from distributed.scheduler import KilledWorker
from PIL import Image

import toolkit
from toolkit.curation import pipeline

HANGER, LATE = (b"this text %s the process" % what for what in (b"hangs", b"kills in the end"))
CUSTOMIZED = f"""
import os, time
from PIL import Image
opened, saved, last = Image.open, Image.Image.save, dict(content=b"")
def open(file, *arguments, **options):
    position = file.tell()
    last["content"] = file.read()
    while {HANGER!r} in last["content"]:
        time.sleep(1)
    file.seek(position)
    return opened(file, *arguments, **options)
def save(image, *arguments, **options):
    if {LATE!r} in last["content"]:
        os._exit(139)
    return saved(image, *arguments, **options)
Image.open, Image.Image.save = open, save
"""
"""What Python runs at the start of every process that is given this folder: a decoder that hangs, an encoder that crashes."""


class Dying:
    """An engine whose workers die of every task."""

    is_own = True
    thread_count = worker_count = 1
    worker_memory_bytes = 2**30

    def stream(self, function, tasks, *, retries=2):
        for task in tasks:
            yield task, KilledWorker(function.__name__, None, 1)


def test_what_hangs_or_kills_a_decoder_is_quarantined_with_its_bytes(tmp_path, monkeypatch):
    raw = tmp_path / "raw"
    raw.mkdir()
    shop = sorted((SAMPLE / "raw" / "shop").glob("*.png"))[:2]
    for path in shop:
        (raw / path.name).write_bytes(path.read_bytes())
    for name, text in (("hanger", HANGER), ("late", LATE)):
        (raw / f"{name}.png").write_bytes(shop[0].read_bytes() + text)
    two = [Image.new("L", (32, 32), shade) for shade in (0, 200)]
    two[0].save(raw / "film.gif", save_all=True, append_images=two[1:])
    (raw / "film.gif").write_bytes((raw / "film.gif").read_bytes() + LATE)
    (tmp_path / "customized").mkdir()
    (tmp_path / "customized" / "sitecustomize.py").write_text(CUSTOMIZED)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "customized"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(pipeline, "engine", contextmanager(lambda *_, **__: iter([Dying()])))
    recipe = {
        "image_deadline_s": 3,
        "keep": "resized",
        "resize": {"longest_px": 32},
        "exact_duplicates": False,
        "frames": "explode",
    }
    dataset = toolkit.curate(raw, tmp_path / "dataset", recipe)
    catalog = dataset.scan("catalog").select("source", "state", "reason").collect()
    states = {source: (state, reason) for source, state, reason in catalog.iter_rows()}
    for name in ("hanger.png", "late.png", "film.gif"):
        assert states.pop(f"raw/{name}") == ("quarantined", "decoder_crash")
        assert dataset.refused_bytes(f"raw/{name}") == (raw / name).read_bytes()
    assert set(states.values()) == {("kept", None)}
    told = dict(dataset.scan("quarantine").select("source", "message").collect().iter_rows())
    assert told["raw/hanger.png"].endswith("the process did not answer for 3 s")
    assert told["raw/late.png"].endswith("the process died")
    assert told["raw/film.gif"].endswith("the process died (frame 0)")
