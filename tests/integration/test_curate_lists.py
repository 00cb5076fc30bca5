"""Lists of URLs and paths from end to end, against a web server on loopback that misbehaves as asked."""

from __future__ import annotations

import csv
import gzip
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from web_server import web_server

import toolkit
from toolkit.curation.reasons import REASONS
from toolkit.engine import engine
from toolkit.errors import UsageError

QUICK = {"timeout_s": 0.8, "deadline_s": 8, "retry_count": 1}


@pytest.fixture(scope="module")
def client():
    with engine(workers=1) as running:
        yield running.client


def jpeg(seed):
    file = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((96, 64), Image.Resampling.BICUBIC).save(file, "jpeg", quality=90)
    return file.getvalue()


def catalog(dataset):
    return {row["source"]: row for row in dataset.scan("catalog").collect().iter_rows(named=True)}


def write_csv(path, names, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)


def test_every_failure_has_its_reason_and_is_fetched_again_only_if_it_may_pass(tmp_path, client):
    with web_server() as web:
        web.files = {f"/{n}.jpg": jpeg(n) for n in range(4)} | {
            "/robots.txt": b"User-agent: tonnage\nDisallow: /secret/\n",
            "/secret/x.jpg": jpeg(9),
            "/opted.jpg": jpeg(10),
            "/large.jpg": bytes(70_000),
            "/page.jpg": b"<html>gone</html>",
        }
        web.headers["/opted.jpg"] = {"X-Robots-Tag": "noai, noimageai"}
        paths = ["/0.jpg", "/busy/1.jpg", "/moved/2.jpg", "/gone.jpg", "/loop/x", "/slow/3.jpg", "/cut/3.jpg", "/secret/x.jpg"]
        paths += ["/opted.jpg", "/large.jpg", "/page.jpg"]
        urls = [web.url + path for path in paths]
        urls += ["http://no-such-host.invalid/a.jpg", "http://127.0.0.1:1/a.jpg", "gopher://x/y", "", "../../etc/passwd"]
        listed = tmp_path / "urls.csv"
        write_csv(
            listed, ["URL", "TEXT", "label", "licence", "seen"],
            [(url, f"caption {n}", "cat", "CC0", n) for n, url in enumerate(urls)],
        )  # fmt: skip
        recipe = {"downloads": QUICK | {"max_bytes": 60_000}}
        web.busy_count = 1
        first = toolkit.curate(listed, tmp_path / "ds", recipe, client)
        found = catalog(first)
        assert len(found) == len(urls)
        reasons = {row["source"].rpartition("#")[2]: row["reason"] for row in found.values() if row["state"] == "quarantined"}
        assert reasons == {
            "3": "http_status", "4": "redirect_loop", "5": "timeout", "6": "connection_failed", "7": "robots_disallowed",
            "8": "robots_disallowed", "9": "too_large", "10": "not_an_image", "11": "dns_failure", "12": "connection_failed",
            "13": "bad_url", "14": "bad_url", "15": "unsafe_path",
        }  # fmt: skip
        assert set(reasons.values()) <= set(REASONS)
        kept = {row["source"]: row for row in first.scan("images").collect().iter_rows(named=True)}
        assert sorted(kept) == ["urls.csv#0", "urls.csv#1", "urls.csv#2"]
        one = kept["urls.csv#2"]
        assert (one["label"], one["captions"], one["licence"]) == ("cat", ["caption 2"], "CC0")
        assert {"key": "seen", "value": "2"} in one["metadata"]
        assert web.asked["GET /0.jpg"] == 1  # packing fetches nothing again
        assert web.asked["GET /robots.txt"] == 1
        assert web.asked["GET /secret/x.jpg"] == 0
        assert web.agents == {f"tonnage/{toolkit.__version__}"}
        facts = first.profile.curation
        assert (facts["downloaded_image_count"], facts["download_failed_count"]) == (4, 10)  # an empty cell is none
        assert facts["download_bytes_per_s"] > 0

        web.asked.clear()
        again = toolkit.curate(listed, tmp_path / "ds", recipe, client)
        assert again.version == first.version
        assert "GET /0.jpg" not in web.asked
        assert "GET /gone.jpg" not in web.asked
        assert web.asked["GET /cut/3.jpg"] == 2

        web.files["/cut/3.jpg".replace("/cut", "", 1)] = b""
        web.files["/slow/3.jpg"] = b""
        web.files["/3.jpg"] = jpeg(3)
        tried = toolkit.curate(listed, tmp_path / "ds", {"downloads": QUICK | {"timeout_s": 5, "max_bytes": 60_000}}, client)
        states = [row["state"] for row in tried.scan("catalog").collect().iter_rows(named=True) if row["source"] == "urls.csv#5"]
        assert "kept" in states
        assert tried.version == first.version + 1


def test_retry_of_the_quarantine_fetches_what_could_not_be_had(tmp_path, client):
    with web_server() as web:
        web.files = {"/0.jpg": jpeg(0)}
        write_csv(tmp_path / "urls.csv", ["url"], [(f"{web.url}/0.jpg",), (f"{web.url}/busy/late.jpg",)])
        web.busy_count = 2
        first = toolkit.curate(tmp_path / "urls.csv", tmp_path / "ds", {"downloads": QUICK}, client)
        assert catalog(first)["urls.csv#1"]["reason"] == "http_unavailable"
        web.files["/late.jpg"] = jpeg(7)
        second = toolkit.retry(tmp_path / "ds", scheduler=client)
        assert catalog(second)["urls.csv#1"]["state"] == "kept"


@pytest.mark.parametrize("kind", ["tsv", "jsonl", "parquet", "csv.gz", "txt"])
def test_lists_of_every_kind_name_the_same_images(tmp_path, client, kind):
    with web_server() as web:
        web.files = {f"/{n}.jpg": jpeg(n) for n in range(3)}
        rows = [{"url": f"{web.url}/{n}.jpg", "caption": f"c{n}"} for n in range(3)]
        path = tmp_path / f"list.{kind}"
        if kind == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        elif kind == "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif kind == "txt":
            path.write_text("".join(row["url"] + "\n" for row in rows))
        else:
            mark = "\t" if kind == "tsv" else ","
            text = "".join(f"{a}{mark}{b}\n" for a, b in [("url", "caption"), *((row["url"], row["caption"]) for row in rows)])
            path.write_bytes(gzip.compress(text.encode()) if kind == "csv.gz" else text.encode())
        dataset = toolkit.curate(path, tmp_path / "ds", {"downloads": QUICK}, client)
        images = dataset.scan("images").sort("source").collect()
        assert len(images) == 3
        if kind != "txt":
            assert images["captions"].to_list() == [["c0"], ["c1"], ["c2"]]


def test_paths_in_a_list_lie_below_it(tmp_path, client):
    (tmp_path / "out.jpg").write_bytes(jpeg(0))
    folder = tmp_path / "in"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.jpg").write_bytes(jpeg(1))
    (folder / "link.jpg").symlink_to(tmp_path / "out.jpg")
    named = ["images/a.jpg", str(folder / "images" / "a.jpg"), "../out.jpg", str(tmp_path / "out.jpg"), "link.jpg", "none.jpg"]
    write_csv(folder / "list.csv", ["path", "label"], [(name, "cat") for name in named])
    dataset = toolkit.curate(folder / "list.csv", tmp_path / "ds", None, client)
    found = catalog(dataset)
    states = [found[f"list.csv#{n}"]["reason"] or found[f"list.csv#{n}"]["state"] for n in range(len(named))]
    assert states[2:] == ["unsafe_path", "unsafe_path", "unsafe_path", "unreadable"]
    assert found["list.csv#0"]["state"] == "kept"
    assert found["list.csv#0"]["label"] == "cat"


def test_a_line_that_cannot_be_read_is_refused_alone(tmp_path, client):
    for n in range(3):
        (tmp_path / f"{n}.jpg").write_bytes(jpeg(n))
    lines = ['{"path": "0.jpg"}', '{"path": "cut o', "[1, 2]", '{"path": "1.jpg", "caption": "half a letter \\ud83d"}']
    lines += [
        '{"path": "\\ud83d.jpg"}',
        '{"url": "http://[::1/a.jpg"}',
        '{"url": "http://[::1/\\ud83d"}',
        '{"path": "2.jpg"}',
        '{"pa',
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    dataset = toolkit.curate(tmp_path / "list.jsonl", tmp_path / "ds", None, client)
    found = catalog(dataset)
    assert {int(source.partition("#")[2]): row["reason"] or row["state"] for source, row in found.items()} == {
        0: "kept", 1: "bad_url", 2: "bad_url", 3: "kept", 4: "unreadable", 5: "bad_url", 6: "bad_url", 7: "kept", 8: "bad_url",
    }  # fmt: skip
    assert found["list.jsonl#3"]["captions"] == ["half a letter \ufffd"]
    sentences = {row["source"]: row["message"] for row in dataset.refusals().iter_rows(named=True)}
    assert sentences["list.jsonl#1"] == sentences["list.jsonl#8"] == f"{REASONS['bad_url'].sentence}: the line is no JSON"
    with (tmp_path / "list.jsonl").open("a") as file:
        file.write('\n{"path": "0.jpg"}\n')  # a list that grows brings what is new
    again = toolkit.curate(tmp_path / "list.jsonl", tmp_path / "ds", None, client)
    assert again.scan("catalog").collect()["source"].to_list().count("list.jsonl#1") == 1
    assert set(catalog(again)) - set(found) == {"list.jsonl#9"}


def test_a_text_may_name_paths_beside_urls_and_none_of_its_lines_is_passed_over(tmp_path, client):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0.jpg").write_bytes(jpeg(0))
    with web_server() as web:
        web.files = {"/1.jpg": jpeg(1)}
        (tmp_path / "list.txt").write_text(f"# both kinds\n\nin/0.jpg\n{web.url}/1.jpg\nhttp:/{web.url}/typo.jpg\nno such file\n")
        dataset = toolkit.curate(tmp_path / "list.txt", tmp_path / "ds", {"downloads": QUICK}, client)
    found = catalog(dataset)
    assert {source.partition("#")[2]: row["reason"] or row["state"] for source, row in found.items()} == {
        "0": "kept", "1": "kept", "2": "bad_url", "3": "unreadable",
    }  # fmt: skip


def test_a_text_that_names_nothing_is_no_list(tmp_path, client):
    (tmp_path / "notes.txt").write_text("Bought milk.\n")
    with pytest.raises(UsageError, match="no images were found"):
        toolkit.curate(tmp_path / "notes.txt", tmp_path / "ds", None, client)


@pytest.mark.parametrize("kind", ["csv", "csv.gz"])
def test_a_list_in_windows_letters_is_read_as_annotations_are(tmp_path, client, kind):
    (tmp_path / "café.jpg").write_bytes(jpeg(0))
    text = "path,caption\ncafé.jpg,naïve\n".encode("cp1252")
    (tmp_path / f"list.{kind}").write_bytes(gzip.compress(text) if kind == "csv.gz" else text)
    dataset = toolkit.curate(tmp_path / f"list.{kind}", tmp_path / "ds", None, client)
    assert dataset.scan("images").collect()["captions"].to_list() == [["naïve"]]


def test_a_compressed_list_that_breaks_off_gives_what_came_before(tmp_path, client):
    (tmp_path / "é.jpg").write_bytes(jpeg(0))
    text = "path\né.jpg\n" + "".join(f"{n}.jpg\n" for n in range(5_000))
    (tmp_path / "list.csv.gz").write_bytes(gzip.compress(text.encode())[:-200])
    found = catalog(toolkit.curate(tmp_path / "list.csv.gz", tmp_path / "ds", None, client))
    assert found["list.csv.gz#0"]["state"] == "kept"
    assert found["list.csv.gz!"]["reason"] == "corrupt_container"
