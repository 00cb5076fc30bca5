import io
import json

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageOps

from toolkit.curation.annotations import ANNOTATION_SCHEMA, read_annotations, read_captions
from toolkit.curation.labelling import label_images

ROWS = {"row": pl.UInt32, "source": pl.String, "folder_label": pl.String}
ROWS |= {"orientation": pl.Int16, "width_px": pl.Int32, "height_px": pl.Int32}


def images(*sources, folder_label=None, orientation=1, size=(40, 30)):
    rows = [(i, source, folder_label, orientation, *size) for i, source in enumerate(sources)]
    return pl.DataFrame(rows, schema=ROWS, orient="row")


def coco(boxes, *, size=(40, 30), name="a.jpg"):
    document = {
        "images": [{"id": 7, "file_name": name, "width": size[0], "height": size[1]}],
        "categories": [{"id": 1, "name": "bird"}, {"id": 2, "name": "boat"}],
        "annotations": [{"id": i, "image_id": 7, "category_id": c, "bbox": b} for i, (c, b) in enumerate(boxes)],
    }
    return read_annotations("raw/coco.json", json.dumps(document).encode())


def boxes_of(labelling):
    return [tuple(box[name] for name in ("x_px", "y_px", "width_px", "height_px")) for box in labelling.frame["boxes"][0]]


def test_a_table_gives_labels_captions_licence_and_keeps_other_columns():
    payload = b"\xef\xbb\xbffile_name,label,caption,license,author\na.jpg,cat,A cat.,CC0,Ann\nsub/b.jpg,dog,,,\n"
    found = read_annotations("raw/birds/metadata.csv", payload)
    assert found["target"].to_list() == ["raw/birds/a.jpg", "raw/birds/sub/b.jpg"]
    assert found["label"].to_list() == ["cat", "dog"]
    assert found["captions"].to_list() == [["A cat."], None]
    assert found["licence"].to_list() == ["CC0", None]
    assert found["metadata"].to_list()[0] == [{"key": "author", "value": "Ann"}]


def test_json_lines_may_hold_lists_and_nested_values():
    lines = [
        {"file_name": "a.jpg", "labels": ["x", "y"], "captions": ["one", "two"], "shot": {"iso": 100}},
        {"file_name": "b.jpg"},
    ]
    found = read_annotations("raw/m.jsonl", "\n".join(map(json.dumps, lines)).encode())
    assert found["labels"].to_list() == [["x", "y"], None]
    assert found["captions"].to_list() == [["one", "two"], None]
    assert found["metadata"][0].to_list() == [{"key": "shot", "value": '{"iso": 100}'}]


def test_windows_text_and_several_labels_in_a_cell_are_read():
    found = read_annotations("raw/l.csv", "filename,labels\nb\xe9.jpg,x; y|z\n".encode("cp1252"))
    assert found["name"].to_list() == ["b\xe9.jpg"]
    assert found["labels"].to_list() == [["x", "y", "z"]]


@pytest.mark.parametrize(
    ("key", "payload"),
    [
        ("raw/prices.csv", b"item,price\nx,1\n"),
        ("raw/a.json", b"{}"),
        ("raw/a.json", b"[1, 2]"),
        ("raw/a.json", b"{broken"),
        ("raw/a.jsonl", b"{broken\n"),
        ("raw/a.csv", b""),
        ("raw/c.json", b'{"images": [{"id": 1}], "annotations": []}'),
        ("raw/c.json", b'{"images": 3, "annotations": []}'),
    ],
)
def test_files_of_another_purpose_are_no_annotations(key, payload):
    assert read_annotations(key, payload) is None


def test_captions_lie_beside_their_images_one_a_line():
    caption = read_captions([("raw/empty.txt", b" \n\n"), ("raw/a.txt", b"A red boat.\n\n Un bateau rouge. \n")])
    labelling = label_images(images("raw/a.jpg", "raw/a.png", "raw/b.jpg", "raw/sub/a.jpg"), caption)
    assert labelling.frame["row"].to_list() == [0, 1]
    assert labelling.frame["captions"].to_list() == [["A red boat.", "Un bateau rouge."]] * 2


def test_a_files_word_wins_over_the_folder_and_labels_hold_both():
    table = read_annotations("raw/m.csv", b"file_name,label\ncat/a.jpg,tiger\n")
    rows = images("raw/cat/a.jpg", "raw/cat/b.jpg", folder_label="cat")
    frame = label_images(rows, table).frame
    assert frame["label"].to_list() == ["tiger", "cat"]
    assert frame["labels"].to_list() == [["cat", "tiger"], ["cat"]]
    assert label_images(rows, table, "folders").frame["label"].to_list() == ["cat", "cat"]
    assert label_images(rows, table, "files").frame["label"].to_list() == ["tiger"]
    assert label_images(rows, table, "none").frame.is_empty()


def test_annotations_elsewhere_find_the_one_path_that_ends_in_their_name():
    table = read_annotations("raw/ann/m.csv", b"file_name,label\nx/a.jpg,one\nb.jpg,two\nc.jpg,none\n")
    labelling = label_images(images("raw/img/x/a.jpg", "raw/p/b.jpg", "raw/q/b.jpg"), table)
    assert labelling.frame.select("row", "label").rows() == [(0, "one")]
    assert labelling.unmatched["name"].to_list() == ["b.jpg", "c.jpg"]


def test_members_of_an_archive_are_found_from_within_it():
    table = read_annotations("raw/a.zip!x/m.csv", b"file_name,label\n../y/a.jpg,one\n")
    assert label_images(images("raw/a.zip!y/a.jpg"), table).frame["label"].to_list() == ["one"]


def test_coco_gives_boxes_classes_and_one_label_when_all_agree():
    labelling = label_images(images("raw/a.jpg"), coco([(1, [1, 2, 3, 4]), (1, [5, 6, 7, 8])]))
    assert boxes_of(labelling) == [(1, 2, 3, 4), (5, 6, 7, 8)]
    assert labelling.frame["label"].to_list() == ["bird"]
    mixed = label_images(images("raw/a.jpg"), coco([(1, [1, 2, 3, 4]), (2, [5, 6, 7, 8])])).frame
    assert mixed["label"].to_list() == [None]
    assert mixed["labels"].to_list() == [["bird", "boat"]]
    assert [box["label"] for box in mixed["boxes"][0]] == ["bird", "boat"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_as_pillow_turns_the_pixels(orientation):
    pixels = np.zeros((30, 40), dtype=np.uint8)
    pixels[5:9, 12:22] = 255  # y 5..9, x 12..22 in the file
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(file, "png", exif=exif)
    shown = ImageOps.exif_transpose(Image.open(file, formats=["PNG"]))
    left, top, right, bottom = shown.getbbox()
    rows = images("raw/a.jpg", orientation=orientation, size=shown.size)
    assert boxes_of(label_images(rows, coco([(1, [12, 5, 10, 4])]))) == [(left, top, right - left, bottom - top)]


def test_boxes_that_were_drawn_on_the_turned_image_stay():
    rows = images("raw/a.jpg", orientation=6, size=(30, 40))
    assert boxes_of(label_images(rows, coco([(1, [1, 2, 3, 4])], size=(30, 40)))) == [(1, 2, 3, 4)]


def test_no_annotations_leave_the_folders_word():
    frame = label_images(images("raw/cat/a.jpg", folder_label="cat"), ANNOTATION_SCHEMA.to_frame()).frame
    assert frame.select("label", "labels", "captions", "boxes").rows() == [("cat", ["cat"], None, None)]
