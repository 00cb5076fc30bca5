import io
import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from toolkit.curation.annotations import (
    ANNOTATION_SCHEMA,
    ANNOTATION_SUFFIXES,
    annotation_frame,
    annotation_lines,
    read_annotations,
)
from toolkit.curation.annotations.large import large_document_blocks
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
    caption = read_annotations("raw/a.txt", b"A red boat.\n\n Un bateau rouge. \n")
    assert read_annotations("raw/empty.txt", b" \n\n").is_empty()
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


def voc(objects, *, name="a.jpg", size=(40, 30)):
    things = "".join(
        f"<object><name>{label}</name><part><bndbox><xmin>1</xmin></bndbox></part><bndbox>"
        f"<xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for label, (a, b, c, d) in objects
    )
    shape = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    return f"<annotation><folder>x</folder><filename>{name}</filename>{shape}{things}</annotation>".encode()


def test_a_voc_box_counts_from_one_and_holds_both_corners():
    found = read_annotations("raw/a.xml", voc([("cat", (1, 1, 40, 30)), ("dog", (13, 6, 22, 9)), ("cat", (0, 0, 5, 5))]))
    labelling = label_images(images("raw/a.jpg"), found)
    assert boxes_of(labelling) == [(0, 0, 40, 30), (12, 5, 10, 4), (0, 0, 5, 5)]
    assert labelling.frame["labels"].to_list() == [["cat", "dog"]]
    assert labelling.frame["label"].to_list() == [None]


@pytest.mark.parametrize(
    ("xml", "image"),
    [
        ("raw/Annotations/a.xml", "raw/JPEGImages/a.jpg"),
        ("raw/annotations/train/a.xml", "raw/images/train/a.png"),
        ("raw/train/labels/a.xml", "raw/train/images/a.jpg"),
        ("raw/a.xml", "raw/a.webp"),
        ("raw/s.zip!Annotations/a.xml", "raw/s.zip!JPEGImages/a.jpg"),
        ("raw/boxes/other.xml", "raw/pictures/a.jpg"),  # by the name that the file gives
    ],
)
def test_voc_files_find_their_images(xml, image):
    rows = images("raw/elsewhere/b.jpg", image)
    labelling = label_images(rows, read_annotations(xml, voc([("cat", (1, 1, 4, 4))])))
    assert labelling.frame["row"].to_list() == [1]
    assert labelling.unmatched.is_empty()


def test_a_voc_file_that_was_renamed_with_its_image_follows_its_own_name():
    rows = images("raw/old.jpg", "raw/new.jpg")
    labelling = label_images(rows, read_annotations("raw/new.xml", voc([("cat", (1, 1, 4, 4))], name="old.jpg")))
    assert labelling.frame["row"].to_list() == [1]


BOMB = b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;">]>'
FILE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "payload",
    [
        BOMB + voc([("cat", (1, 1, 4, 4))]),
        FILE + b"<annotation><filename>&x;</filename></annotation>",
        ("<!DOCTYPE a []>" + voc([]).decode()).encode("utf-16"),
        b"<annotation><filename>&y;</filename></annotation>",
        b"<svg><size/></svg>",
        b"<annotation>",
        b"",
        voc([("cat", (5, 5, 5, 4))]),
        voc([("cat", ("a", 5, 5, 4))]),
        voc([("cat", (1, 1, "inf", 4))]),
    ],
)
def test_xml_that_is_no_annotation_or_calls_for_more_is_not_read(payload):
    assert read_annotations("raw/a.xml", payload) is None


def yolo_boxes(text, *, size=(40, 30), orientation=1):
    labelling = label_images(images("raw/images/a.jpg", size=size, orientation=orientation), read("raw/labels/a.txt", text))
    return [tuple(round(value, 3) for value in box) for box in boxes_of(labelling)]


def read(key, text):
    return read_annotations(key, text.encode())


def test_yolo_boxes_become_pixels_of_the_display():
    assert yolo_boxes("0 0.5 0.5 0.25 0.2\n") == [(15, 12, 10, 6)]
    assert yolo_boxes("0 0.5 0.5 0.25 0.2 0.93\n") == [(15, 12, 10, 6)]  # as a detector writes it, with its confidence
    assert yolo_boxes("0 0.5 0.5 1 1\n", size=(30, 40), orientation=6) == [(0, 0, 30, 40)]
    assert yolo_boxes("0 0.25 0.5 0.5 1\n", size=(30, 40), orientation=3) == [(0, 0, 15, 40)]


def test_yolo_polygons_and_key_points_become_their_boxes():
    assert yolo_boxes("0 0.25 0.1 0.75 0.2 0.5 0.9\n") == [(10, 3, 20, 24)]
    assert yolo_boxes("0 0.25 0.1 0.75 0.1 0.75 0.9 0.25 0.9\n") == [(10, 3, 20, 24)]
    assert yolo_boxes("0 0.5 0.5 0.25 0.2 0.4 0.5 2 0.6 0.5 0\n") == [(15, 12, 10, 6)]
    mixed = read("raw/labels/a.txt", "0 0.5 0.5 0.25 0.2 0.93\n0 0.25 0.1 0.75 0.2 0.5 0.9\n")
    assert mixed["metadata"][0].to_list() == [
        {"key": "yolo_points", "value": '[{"box": 1, "shares": [0.25, 0.1, 0.75, 0.2, 0.5, 0.9]}]'}
    ]
    assert read("raw/labels/a.txt", "0 0.5 0.5 0.25 0.2\n")["metadata"].to_list() == [None]


@pytest.mark.parametrize(
    "text",
    [
        "0 0.5 0.5 0.25 0.2\nbroken\n",
        "0 5 5 2 2\n",
        "0.5 0.5 0.5 0.2 0.2\n",
        "-1 0.5 0.5 0.2 0.2\n",
        "0 -0.5 0.5 0.2 0.2\n",
        "0 0.5 0.5 0 0.2\n",
        "0 0.5 0.5 1e999 0.2\n",
    ],
)
def test_damaged_yolo_is_neither_boxes_nor_a_caption(text):
    assert read("raw/labels/a.txt", text) is None


@pytest.mark.parametrize("text", ["2 cats and 3 dogs", "0.5", "1 2 3 4", "Number 0 0.5 0.5 0.2 0.2 of the series", "1984"])
def test_captions_with_numbers_stay_captions(text):
    assert read("raw/a.txt", text)["captions"].to_list() == [[text]]


def labels_in(rows, *files):
    return label_images(rows, pl.concat(files)).frame


def test_class_numbers_get_the_names_that_hold_in_their_folder():
    rows = images("raw/a/images/x.jpg", "raw/b/images/y.jpg", "raw/c/z.jpg")
    boxes = "0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.1 0.1\n9 0.5 0.5 0.1 0.1"
    frame = labels_in(
        rows,
        read("raw/a/labels/x.txt", boxes),
        read("raw/b/labels/y.txt", boxes),
        read("raw/c/z.txt", "0 0.5 0.5 0.2 0.2"),
        read("raw/a/data.yaml", "nc: 2\nnames: [cat, dog]\ntrain: images"),
        read("raw/b/labels/classes.txt", "car\nbus\n\n"),
        read("raw/b/labels/data.yaml", "names: {0: tram, 1: bike}"),
        read("raw/c/obj.names", "boat\n"),
    )
    assert frame["labels"].to_list() == [["9", "cat", "dog"], ["9", "bike", "tram"], ["boat"]]
    assert [box["label"] for box in frame["boxes"][0]] == ["cat", "dog", "9"]
    assert frame["label"].to_list() == [None, None, "boat"]


def test_the_only_class_names_there_are_hold_everywhere_and_without_any_numbers_stay():
    rows = images("raw/images/x.jpg")
    boxes = read("raw/labels/x.txt", "1 0.5 0.5 0.2 0.2\n")
    assert labels_in(rows, boxes, read("raw/config/data.yaml", "names: [a, b]"))["label"].to_list() == ["b"]
    assert labels_in(rows, boxes)["label"].to_list() == ["1"]


@pytest.mark.parametrize("text", ["a: 1", "[1, 2]", "names: 3", "names: {-1: a}", "{", "names: []", "&a [*a]"])
def test_yaml_of_another_purpose_names_no_classes(text):
    assert read("raw/data.yaml", text) is None


def test_sidecars_in_a_webdataset_give_label_caption_and_metadata():
    rows = images("s.tar!0001.jpg", "s.tar!0002.left.png", "s.tar!0002.right.png", "s.tar!v1.0.jpg", "s.tar!v1.1.jpg")
    frame = labels_in(
        rows,
        read("s.tar!0001.cls", "7\n"),
        read("s.tar!0001.txt", "A boat."),
        read("s.tar!0001.json", '{"caption": "A boat.", "key": "0001", "width": 10, "license": "CC0"}'),
        read("s.tar!0002.json", '{"label": 3}'),
        read("s.tar!v1.0.txt", "One."),
        read("s.tar!v1.1.txt", "Two."),
    )
    assert frame["row"].to_list() == [0, 1, 2, 3, 4]
    assert frame["label"].to_list() == ["7", "3", "3", None, None]
    assert frame["captions"].to_list() == [["A boat."], None, None, ["One."], ["Two."]]
    assert frame["metadata"][0].to_list() == [{"key": "key", "value": "0001"}, {"key": "width", "value": "10"}]
    assert frame["licence"][0] == "CC0"


def test_a_sample_of_the_very_name_goes_before_those_that_only_begin_so():
    rows = images("s.tar!v1.jpg", "s.tar!v1.left.jpg")
    assert labels_in(rows, read("s.tar!v1.txt", "Mine."))["row"].to_list() == [0]


def test_an_image_beside_its_sidecar_goes_before_one_in_the_folder_of_images():
    rows = images("raw/images/a.jpg", "raw/labels/a.jpg")
    assert labels_in(rows, read("raw/labels/a.txt", "0 0.5 0.5 0.2 0.2"))["row"].to_list() == [1]


def test_panoptic_segments_are_boxes_and_boxes_that_are_none_are_left_out():
    found = coco([(1, [1, 2, 3, 4]), (2, [float("nan"), 2, 3, 4])])
    assert boxes_of(label_images(images("raw/a.jpg"), found)) == [(1, 2, 3, 4)]
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 5, "name": "sky"}],
        "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": [{"category_id": 5, "bbox": [0, 0, 9, 8]}]}],
    }
    labelling = label_images(images("raw/a.jpg"), read("raw/panoptic.json", json.dumps(document)))
    assert boxes_of(labelling) == [(0, 0, 9, 8)]
    assert labelling.frame["label"].to_list() == ["sky"]


@given(
    suffix=st.sampled_from(ANNOTATION_SUFFIXES),
    payload=st.one_of(
        st.binary(max_size=200),
        st.text(alphabet="0123456789. -e\n\t", max_size=80).map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["images", "annotations", "id", "names", "file_name", "label", "bbox"]), inner, max_size=4
                )
            ),
            max_leaves=12,
        ).map(lambda document: json.dumps(document).encode()),
    ),
)
def test_no_annotation_file_of_any_content_stops_a_curation(suffix, payload):
    found = annotation_lines(f"raw/labels/a{suffix}", payload)
    assert found is None or all(line["file"] == f"raw/labels/a{suffix}" for line in found)


def test_a_dot_outside_an_archive_groups_nothing():
    rows = images("raw/a.left.jpg", "raw/b.jpg")
    assert labels_in(rows, read("raw/a.txt", "Both?"), read("raw/b.jpg.txt", "Mine."))["row"].to_list() == [1]


def test_members_that_come_twice_keep_their_own_sidecars():
    rows = images("s.tar!a.jpg", "s.tar!a.jpg#2")
    frame = labels_in(rows, read("s.tar!a.txt", "first"), read("s.tar!a.txt#2", "second"))
    assert frame["captions"].to_list() == [["first"], ["second"]]


def test_texts_without_an_image_are_reported_where_others_have_one_and_only_there():
    rows = images("raw/a.jpg", "raw/b.jpg")
    files = [read("raw/a.txt", "A."), read("raw/gone.txt", "Gone."), read("raw/sub/README.txt", "Read me.")]
    files += [read("raw/labels/gone.txt", "0 0.5 0.5 0.1 0.1"), read("raw/config.json", '{"a": 1}')]
    labelling = label_images(rows, pl.concat(files))
    assert labelling.unmatched.select("file", "kind").rows() == [("raw/gone.txt", "caption"), ("raw/labels/gone.txt", "yolo")]
    assert labelling.strays["file"].to_list() == ["raw/sub/README.txt", "raw/config.json"]


def test_objects_of_a_hugging_face_image_folder_are_boxes_of_the_display():
    objects = {"bbox": [[1, 2, 3, 4]], "categories": ["cat"], "id": [7]}
    lines = [{"file_name": "a.jpg", "objects": objects}, {"file_name": "b.jpg", "objects": {"bbox": [], "categories": []}}]
    first, second = read_annotations("raw/metadata.jsonl", "\n".join(map(json.dumps, lines)).encode()).to_dicts()
    assert first["boxes"] == [{"x_px": 1, "y_px": 2, "width_px": 3, "height_px": 4, "label": "cat"}]
    assert (first["label"], first["labels"], first["is_displayed"]) == ("cat", ["cat"], True)
    assert first["metadata"] == [{"key": "objects", "value": '{"id": [7]}'}]
    assert (second["boxes"], second["labels"], second["metadata"], second["is_displayed"]) == (None, None, None, None)


def test_outlines_and_key_points_of_coco_are_kept_with_the_number_of_their_box():
    polygon, run_lengths = [[1, 1, 4, 1, 4, 5]], {"counts": "abc", "size": [30, 40]}
    document = {
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "bird"}],
        "annotations": [
            {"image_id": 7, "category_id": 1, "bbox": [1, 1, 3, 4], "segmentation": polygon},
            {"image_id": 7, "category_id": 1, "segmentation": run_lengths, "iscrowd": 1},
            {"image_id": 7, "category_id": 1, "bbox": [2, 2, 3, 4], "keypoints": [2, 2, 2], "num_keypoints": 1},
            {"image_id": 8, "category_id": 1, "bbox": [2, 2, 3, 4], "segmentation": [list(range(20_000))]},
        ],
    }
    first, second, classes = read_annotations("raw/coco.json", json.dumps(document).encode())["metadata"].to_list()
    assert classes is None
    kept = {pair["key"]: json.loads(pair["value"]) for pair in first}
    assert kept["coco_segmentation"] == [{"box": 0, "segmentation": polygon}, {"box": None, "segmentation": run_lengths}]
    assert kept["coco_keypoints"] == [{"box": 1, "keypoints": [2, 2, 2]}]
    assert second[0]["value"].startswith("(not kept: a list of 1 in ")


def test_what_pascal_voc_says_of_its_objects_is_kept_with_the_number_of_their_box():
    """Source: PASCAL VOC2012 development kit, section 2.4, and the person layout task, whose parts have boxes of their own."""
    document = """<annotation><filename>a.jpg</filename><segmented>1</segmented>
      <object><name>person</name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult>
        <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>
        <part><name>head</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></part>
        <part><name>hand</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>6</xmax><ymax>6</ymax></bndbox></part></object>
      <object><name>sky</name><occluded>1</occluded></object>
      <object><name>dog</name><bndbox><xmin>3</xmin><ymin>3</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object>
    </annotation>"""
    (pairs,) = read_annotations("raw/a.xml", document.encode())["metadata"].to_list()
    kept = {pair["key"]: json.loads(pair["value"]) for pair in pairs}
    sides = [dict(zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)) for corners in ("2244", "5566")]
    parts = [{"name": name, "bndbox": box} for name, box in zip(("head", "hand"), sides, strict=True)]
    assert kept == {
        "voc_objects": [
            {"box": 0, "pose": "Left", "truncated": "1", "difficult": "0", "part": parts},
            {"box": None, "occluded": "1"},
        ],
        "voc_segmented": 1,
    }


HALF = r'"cut \ud83d"'
COCO_WITH_HALVES = (
    f'{{"images": [{{"id": 1, "file_name": "1.jpg"}}], "categories": [{{"id": 1, "name": {HALF}}}], '
    f'"annotations": [{{"image_id": 1, "category_id": 1, "caption": {HALF}}}]}}'
)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (
            "raw/metadata.jsonl",
            f'{{"file_name": "1.jpg", "caption": {HALF}, "label": {HALF}}}\n{{"file_name": "2.jpg", "caption": "ok"}}\n',
        ),
        ("raw/metadata.json", f'[{{"file_name": "1.jpg", "caption": {HALF}, "label": {HALF}}}]'),
        ("raw/1.json", f'{{"caption": {HALF}, "label": {HALF}, {HALF}: {HALF}}}'),
        ("raw/instances.json", COCO_WITH_HALVES),
    ],
)
def test_half_a_letter_spoils_no_annotation(tmp_path, key, text):
    frames = [read_annotations(key, text.encode())]
    if key.endswith("s.json"):
        frames += [
            annotation_frame(block) for block in large_document_blocks(key, io.BytesIO(text.encode()), len(text), tmp_path)
        ]
        frames = [frame.filter(pl.col("kind") == "coco") for frame in frames]
        frames = [frame for frame in frames if len(frame)]
        assert len(frames) == 2
    for frame in frames:
        first = frame.row(0, named=True)
        assert (first["captions"], first["label"]) == (["cut \ufffd"], "cut \ufffd")


def test_whole_letters_that_are_written_in_halves_stay():
    text = json.dumps([{"file_name": "1.jpg", "caption": "a path C:\\ud83d and \U0001f600"}])
    assert read_annotations("raw/m.json", text.encode()).row(0, named=True)["captions"] == ["a path C:\\ud83d and \U0001f600"]
