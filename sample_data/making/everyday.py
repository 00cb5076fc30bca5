"""What people have: class folders, captions, a table of labels, a COCO file, one of every format."""

from __future__ import annotations

import csv
import io
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from making.photographs import Variants, encoded
from PIL import Image, ImageCms

if TYPE_CHECKING:
    from making.collection import Collection

AS_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""By EXIF orientation, how an upright picture lies in the file. Source: Exif 3.0, tag 0x0112."""


def class_folders(raw: Collection, variants: Variants) -> None:
    """Write class folders of plain photographs, one in five progressive, one in nine gray."""
    for label in variants.classes:
        for i in range(33):
            image = variants.next(label, longest_px=variants.random.choice([224, 256, 288]))
            shown = image.convert("L") if i % 9 == 4 else image
            payload = encoded(shown, progressive=i % 5 == 0, optimize=True)
            raw.image(f"by_class/{label}/img_{i:03d}.jpg", payload, label=label)


def captions(raw: Collection, variants: Variants) -> None:
    """Write photographs with a caption in a text file of the same name."""
    for i in range(24):
        label = variants.classes[i % len(variants.classes)]
        caption = f"a photo of a {label}, seen from the {'front' if i % 2 else 'side'}"
        raw.image(f"captions/{i:04d}.jpg", encoded(variants.next(label)), captions=[caption])
        raw.other(f"captions/{i:04d}.txt", f"{caption}\n".encode(), "annotation")


def table_of_labels(raw: Collection, variants: Variants) -> None:
    """Write photographs whose labels stand in a CSV as spreadsheets save it, a line too many in it, an image without a line."""
    kinds = [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")]
    rows = []
    for i in range(24):
        label = variants.classes[i % len(variants.classes)]
        suffix, kind = kinds[i % 3]
        name = f"item_{i:03d}.{suffix}"
        image = variants.next(label, longest_px=160 if kind == "PNG" else 224)
        payload = encoded(image, kind, **({"quality": 80} if kind == "WEBP" else {}))
        if i == 0:
            raw.image(f"shop/{name}", payload)
            continue
        price = f"{10 + i}.00"
        raw.image(f"shop/{name}", payload, label=label, metadata={"price": price})
        rows.append((name, label, price))
    rows.append(("never_delivered.jpg", "hat", "1.00"))
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([("file_name", "label", "price"), *rows])
    raw.other("shop/metadata.csv", text.getvalue().encode("utf-8-sig"), "annotation")
    raw.unmatched.append({"file": "shop/metadata.csv", "name": "never_delivered.jpg"})


def coco(raw: Collection, variants: Variants) -> None:
    """Write photographs with boxes in one COCO file: one image is EXIF-rotated, one has two boxes, one entry has no image."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for i in range(12):
        label = variants.classes[i % len(variants.classes)]
        image = variants.next(label)
        boxes = [(20.0, 10.0, 60.0, 40.0, label)]
        exif = Image.Exif()
        turned = boxes
        if i == 3:  # the camera was held upright: the file lies on its side, and boxes are in the file's pixels
            exif[0x0112] = 6
            image = image.transpose(AS_STORED[6])
            turned = [(image.height - y - height, x, height, width, name) for x, y, width, height, name in boxes]
        if i == 5:
            boxes.append((0.0, 0.0, float(image.width), 30.5, variants.classes[0]))
        name = f"{i:012d}.jpg"
        names = ("x_px", "y_px", "width_px", "height_px", "label")
        truth = [dict(zip(names, box, strict=True)) for box in turned]
        raw.image(f"coco/{name}", encoded(image, exif=exif), labels=sorted({box[4] for box in turned}), boxes=truth)
        images.append(_coco_image(i, name, *image.size))
        annotations += [_coco_box(len(annotations) + k, i, variants.classes, box) for k, box in enumerate(boxes)]
    images.append(_coco_image(99, "000000000099.jpg", 640, 480))
    annotations.append(_coco_box(99, 99, variants.classes, (0.0, 0.0, 5.0, 5.0, variants.classes[0])))
    raw.unmatched.append({"file": "coco/instances.json", "name": "000000000099.jpg"})
    categories = [{"id": k + 1, "name": label} for k, label in enumerate(variants.classes)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    raw.other("coco/instances.json", json.dumps(document).encode(), "annotation")


def _coco_image(number: int, name: str, width: int, height: int) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": width, "height": height}


def _coco_box(number: int, image: int, classes: tuple[str, ...], box: tuple[float, float, float, float, str]) -> dict[str, Any]:
    *corner_and_size, label = box
    return {
        "id": number,
        "image_id": image,
        "category_id": classes.index(label) + 1,
        "bbox": corner_and_size,
        "area": box[2] * box[3],
        "iscrowd": 0,
    }


def formats(raw: Collection, variants: Variants) -> None:
    """Write one of each format and mode that image collections hold."""
    _jpegs(raw, variants)
    _pngs(raw, variants)
    new = variants.next
    raw.image("formats/lossy.webp", encoded(new(), "WEBP", quality=80))
    raw.image("formats/lossless.webp", encoded(new(longest_px=128), "WEBP", lossless=True))
    raw.image("formats/plain.bmp", encoded(new(longest_px=96), "BMP"))
    raw.image("formats/still.avif", encoded(new(), "AVIF", quality=70, max_threads=1))
    raw.image("formats/lossless.jp2", encoded(new(longest_px=96), "JPEG2000"), format="jpeg2000")
    deep = encoded(_deep_gray(new(longest_px=128)), "TIFF", compression="tiff_lzw")
    raw.image("formats/gray_16bit.tif", deep, bits=16)
    several: dict[str, Any] = {"flags": ["multi_frame"]}
    pages = [new(longest_px=128).resize((128, 96)) for _ in range(3)]
    tiff = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_adobe_deflate")
    raw.image("formats/three_pages.tiff", tiff, **several)
    frames = [new(longest_px=96).resize((96, 96)) for _ in range(4)]
    gif = [frame.quantize(64) for frame in frames]
    raw.image("formats/animated.gif", encoded(gif[0], "GIF", save_all=True, append_images=gif[1:], duration=100), **several)
    moving = [new(longest_px=96).resize((96, 72)) for _ in range(3)]
    webp = encoded(moving[0], "WEBP", save_all=True, append_images=moving[1:], duration=100, quality=70)
    raw.image("formats/animated.webp", webp, **several)


def _jpegs(raw: Collection, variants: Variants) -> None:
    new = variants.next
    raw.image("formats/baseline.jpg", encoded(new()))
    raw.image("formats/progressive.jpg", encoded(new(), progressive=True))
    raw.image("formats/gray.jpg", encoded(new().convert("L")))
    raw.image("formats/cmyk.jpg", encoded(new().convert("CMYK")))  # with Adobe's marker, inverted as Photoshop writes it
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes(12)  # the profile's date of creation would make each run differ
    raw.image("formats/icc.jpg", encoded(new(), icc_profile=bytes(profile)))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        upright = new(longest_px=192).resize((192, 128))
        stored = upright.transpose(AS_STORED[orientation]) if orientation > 1 else upright
        raw.image(f"exif/orientation_{orientation}.jpg", encoded(stored, exif=exif))


def _pngs(raw: Collection, variants: Variants) -> None:
    new = variants.next
    raw.image("formats/gray_8bit.png", encoded(new(longest_px=128).convert("L"), "PNG"), bits=8)
    raw.image("formats/gray_16bit.png", encoded(_deep_gray(new(longest_px=128)), "PNG"), bits=16)
    raw.image("formats/rgb_16bit.png", _deep_png(new(longest_px=128)), bits=16)
    palette = new(longest_px=128).quantize(64)
    raw.image("formats/palette_transparent.png", encoded(palette, "PNG", transparency=0), has_alpha=True)
    rgba = new(longest_px=128)
    rgba.putalpha(Image.linear_gradient("L").resize(rgba.size))
    raw.image("formats/alpha.png", encoded(rgba, "PNG"), has_alpha=True)


def _deep_gray(image: Image.Image) -> Image.Image:
    """Return the image in 16-bit gray, with values between those that 8 bits can hold."""
    channels = np.asarray(image, np.uint32)
    return Image.fromarray((channels @ np.array([77, 151, 29], np.uint32)).astype(np.uint16))


def _deep_png(image: Image.Image) -> bytes:
    """Return a PNG with 16 bits per channel, which Pillow reads but does not write."""
    pixels = (np.asarray(image, np.uint32) * 257).astype(">u2")
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", image.width, image.height, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(lines, 9))]
    body = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in [*chunks, (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + body
