"""The command as users meet it, with right and wrong arguments: in a process of its own, or what it does in one."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from conftest import SAMPLE, Finished, tonnage

from toolkit.cli import run

COMMANDS = ("curate", "measure", "project", "report", "show", "verify")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = tonnage(command, "--help")
    assert done.code == 0
    assert f"tonnage {command}" in done.out


def test_the_bare_command_and_help_name_every_command() -> None:
    bare, helped = tonnage(), tonnage("--help")
    assert (bare.code, helped.code) == (2, 0)
    assert all(command in helped.out and command in bare.out for command in COMMANDS)
    assert tonnage("--version").out.startswith("tonnage ")


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what users get wrong."""
    place = tmp_path_factory.mktemp("wrong")
    (place / "empty").mkdir()
    (place / "full").mkdir()
    (place / "full" / "notes.txt").write_text("not a dataset")
    (place / "photos").mkdir()
    photo = next((SAMPLE / "photos").glob("*.jpg"))
    (place / "photos" / "one.jpg").write_bytes(photo.read_bytes())
    (place / "key.yaml").write_text("near_duplicats: 3\n")
    (place / "value.yaml").write_text("keep: everything\n")
    (place / "unit.yaml").write_text("shard_bytes: 256 bananas\n")
    (place / "broken.yaml").write_text("keep: [original\n")
    (place / "scenario_key.yaml").write_text("name: x\nhorizonn: 12 months\n")
    (place / "text.json").write_text("{}")
    return place


@pytest.mark.parametrize(
    ("arguments", "code", "fragments"),
    [
        (("bogus",), 2, ("No such command 'bogus'",)),
        (("curate",), 2, ("Missing argument",)),
        (("curate", "{}/photos"), 2, ("at least one SOURCE and, last, the DATASET",)),
        (("curate", "{}/nowhere", "{}/out"), 2, ("nowhere",)),
        (("curate", "{}/empty", "{}/out"), 2, ("empty",)),
        (("curate", "{}/photos", "{}/full"), 2, ("full",)),
        (("curate", "{}/photos", "{}/photos/inside"), 2, ("inside",)),
        (("curate", "{}/photos", "{}/out", "--recipe", "{}/key.yaml"), 2, ("near_duplicats", "near_duplicates")),
        (("curate", "{}/photos", "{}/out", "--recipe", "{}/value.yaml"), 2, ("keep", "everything", "original")),
        (("curate", "{}/photos", "{}/out", "--recipe", "{}/unit.yaml"), 2, ("shard_bytes", "bananas")),
        (("curate", "{}/photos", "{}/out", "--recipe", "{}/broken.yaml"), 2, ("broken.yaml",)),
        (("curate", "{}/photos", "{}/out", "--recipe", "{}/none.yaml"), 2, ("none.yaml",)),
        (("curate", "{}/photos", "{}/out", "--workers", "0"), 2, ("workers",)),
        (("curate", "{}/photos", "{}/out", "--worker-memory", "lots"), 2, ("'lots' is not a quantity",)),
        (("curate", "{}/photos", "{}/out", "--worker-memory", "10 MB"), 2, ("10 MB", "256 MiB")),
        (("curate", "{}/photos", "{}/out", "--workers", "two"), 2, ("--workers", "integer")),
        (("measure", "{}/nowhere"), 2, ("nowhere",)),
        (("measure", "{}/full"), 2, ("full",)),
        (("measure", "{}/full", "--plan", "sloppy"), 2, ()),
        (("project", "{}/nowhere.yaml"), 2, ("nowhere.yaml",)),
        (("project", "{}/scenario_key.yaml"), 2, ("horizonn",)),
        (("report", "{}/nowhere"), 2, ("nowhere",)),
        (("report", "{}/empty"), 2, ("empty",)),
        (("show", "{}/text.json"), 2, ("which is neither measurements",)),
        (("show", "{}/nowhere"), 2, ("nowhere",)),
        (("verify", "{}/full"), 2, ("full",)),
        (("versions", "{}/nowhere"), 2, ("nowhere",)),
        (("diff", "{}/full", "0"), 2, ("full",)),
        (("diff", "{}/full", "first"), 2, ("valid integer",)),
        (("remove", "{}/full"), 2, ("in exactly one way",)),
        (("compact", "{}/full"), 2, ("is not a Tonnage dataset",)),
        (("upgrade", "{}/nowhere"), 2, ("nowhere",)),
        (("curate", "{}/photos", "{}/out", "--redecide"), 2, ("takes a DATASET alone and a recipe",)),
        (("quarantine", "list", "{}/nowhere"), 2, ("nowhere",)),
        (("quarantine", "retry", "{}/full"), 2, ("full",)),
        (("export", "{}/full", "{}/out", "--as", "zip"), 2, ("'zip' is not a format", "webdataset")),
        (("export", "{}/full", "{}/out"), 2, ("--as",)),
        (("curate", "ftp://host/x", "{}/out"), 2, ("ftp",)),
        (("curate", "{}/no\x1b[31m\nsuch", "{}/out"), 2, (r"no\x1b[31m\nsuch",)),
    ],
)
def test_a_users_mistake_is_one_sentence(
    wrong: Path, arguments: tuple[str, ...], code: int, fragments: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    """In this process, which is what the command does in its own: forty starts of it would take as long as a notebook."""
    given = run([argument.replace("{}", str(wrong)) for argument in arguments])
    said = capfd.readouterr()
    check_mistake(wrong, Finished(given, said.out, said.err), code, fragments)


@pytest.mark.parametrize(
    ("arguments", "code", "fragments"),
    [
        (("bogus",), 2, ("No such command 'bogus'",)),
        (("curate", "{}/photos", "{}/full"), 2, ("full",)),
        (("curate", "{}/photos", "{}/out", "--recipe", "{}/key.yaml"), 2, ("near_duplicats", "near_duplicates")),
        (("curate", "{}/photos", "{}/out", "--scheduler", "tcp://127.0.0.1:1"), 1, ("no Dask scheduler answers",)),
        (("project", "{}/scenario_key.yaml"), 2, ("horizonn",)),
    ],
)
def test_a_mistake_ends_the_process_in_the_same_way(
    wrong: Path, arguments: tuple[str, ...], code: int, fragments: tuple[str, ...]
) -> None:
    check_mistake(wrong, tonnage(*[argument.replace("{}", str(wrong)) for argument in arguments]), code, fragments)


def check_mistake(wrong: Path, done: Finished, code: int, fragments: tuple[str, ...]) -> None:
    assert "Traceback" not in done.err + done.out
    assert done.code == code, done.err
    assert done.err.count("\n") == 1, done.err
    assert all(fragment in done.err for fragment in fragments), done.err
    assert not (wrong / "out").exists()


def test_help_is_quick() -> None:
    started_s = time.perf_counter()
    tonnage("--help")
    assert time.perf_counter() - started_s < 5  # 0.3 s on an idle machine; this only catches an import of everything


def test_the_whole_path_from_raw_images_to_a_page(
    sample_dataset: Path, sample_measurements: Path, sample_projection: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    done = tonnage("report", sample_dataset, sample_measurements, sample_projection, "--out", page)
    assert done.code == 0, done.err
    assert done.out.strip() == str(page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert len(text.encode()) < 2_500_000


def test_measuring_one_family_writes_what_show_reads(sample_dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "measured.json"
    done = tonnage("measure", sample_dataset, "--only", "decode", "--quiet", "--out", out)
    assert done.code == 0, done.err
    assert list((sample_dataset / "measurements").glob("*")) == []
    facts = json.loads(tonnage("show", out, "--json").out)
    families = {found["metric"].split(".")[0] for found in facts["measurements"]}
    assert "decode" in families
    assert not families & {"read", "loader", "transfer"}


@pytest.mark.parametrize("noun", ["dataset", "measurements", "projection"])
def test_show_prints_one_screen_and_json(
    noun: str, sample_dataset: Path, sample_measurements: Path, sample_projection: Path
) -> None:
    path = {"dataset": sample_dataset, "measurements": sample_measurements, "projection": sample_projection}[noun]
    drawn, printed = tonnage("show", path), tonnage("show", path, "--json")
    assert (drawn.code, printed.code) == (0, 0), drawn.err + printed.err
    assert len(drawn.out.splitlines()) > 8
    facts = json.loads(printed.out)
    assert facts["schema"].startswith("tonnage.")


def test_explain_prints_a_formula_down_to_its_leaves(sample_projection: Path, sample_dataset: Path) -> None:
    scenario = SAMPLE / "scenarios" / "lab_one_node.yaml"
    done = tonnage("project", scenario, "--dataset", sample_dataset, "--explain", "storage.capacity_bytes", "--month", "12")
    assert done.code == 0, done.err
    assert "storage.capacity_bytes" in done.out
    assert "dataset.images" in done.out


def test_verify_finds_nothing_wrong_and_then_the_flipped_byte(sample_dataset: Path, tmp_path: Path) -> None:
    import shutil

    assert tonnage("verify", sample_dataset).code == 0
    damaged = tmp_path / "damaged"
    shutil.copytree(sample_dataset, damaged)
    shard = max((damaged / "images").glob("*.parquet"), key=lambda path: path.stat().st_size)
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    done = tonnage("verify", damaged)
    assert done.code == 1
    assert shard.name in done.out


def test_progress_goes_to_standard_error_and_json_to_standard_output(wrong: Path, tmp_path: Path) -> None:
    done = tonnage("curate", SAMPLE / "more", tmp_path / "d", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["schema"] == "tonnage.profile/1"
    assert done.err
    quiet = tonnage("curate", wrong / "photos", tmp_path / "q", "--json", "--quiet")
    assert (quiet.code, quiet.err) == (0, "")
