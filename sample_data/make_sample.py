"""Make the raw sample collection: what people really have, with its hazards, and the truth about each of them.

    python sample_data/make_sample.py            # write raw/, more/, TRUTH.json, CHECKSUMS.sha256 again
    python sample_data/make_sample.py --check    # compare what is committed with its checksums
    python sample_data/make_sample.py --out DIR  # write elsewhere

Everything is derived from the 42 photographs in ``photos/`` (CC0) by real transforms and one seed, so that a run with the
locked library versions gives the same bytes. ``TRUTH.json`` says of every image occurrence what curation must make of it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import random
import shutil
import sys
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg
from PIL import Image, ImageCms, ImageEnhance, ImageOps
from scipy.fft import dctn

HERE = Path(__file__).resolve().parent
CLASSES = ("dress", "hat", "outwear", "pants", "shoes", "t-shirt")
PHOTOS_PER_CLASS = 7
FAR_BITS = 10
"""Distinct photographs differ in at least so many bits of their perceptual hash; near duplicates in at most ``NEAR_BITS``."""
NEAR_BITS = 2


def perceptual_hash(image: Image.Image) -> np.ndarray:
    """Return 64 bits: the 8 x 8 lowest frequencies of the 32 x 32 luma against their median."""
    luma = np.asarray(ImageOps.exif_transpose(image).convert("L").resize((32, 32), Image.Resampling.BOX), float)
    low = dctn(luma, norm="ortho")[:8, :8].ravel()
    return low > np.median(low)


def distance_bits(one: Image.Image, other: Image.Image) -> int:
    """Return in how many bits the perceptual hashes of two images differ."""
    return int((perceptual_hash(one) != perceptual_hash(other)).sum())


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """Return the bytes of an encoded image."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"quality": 82} if kind == "JPEG" else {}) | options)
    return buffer.getvalue()


class Variants:
    """Endless distinct photographs: crops, mirror images and exposures of the base photographs, all far from each other."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.hashes: list[np.ndarray] = []
        self.bases = {
            label: [Image.open(HERE / "photos" / f"{label}_{i}.jpg").convert("RGB") for i in range(1, PHOTOS_PER_CLASS + 1)]
            for label in CLASSES
        }
        self.turn = 0

    def next(self, label: str | None = None, longest_px: int = 256) -> Image.Image:
        """Return a photograph that none before was like; of the next class in turn unless one is named."""
        for _ in range(2_000):
            self.turn += 1
            name = label or CLASSES[self.turn % len(CLASSES)]
            base = self.bases[name][self.turn // len(CLASSES) % PHOTOS_PER_CLASS]
            image = self._varied(base, longest_px)
            bits = perceptual_hash(image)
            if all((bits != seen).sum() >= FAR_BITS for seen in self.hashes):
                self.hashes.append(bits)
                return image
        raise RuntimeError("no further distinct photograph was found; add base photographs")

    def _varied(self, base: Image.Image, longest_px: int) -> Image.Image:
        share = self.random.uniform(0.35, 0.95)
        width, height = int(base.width * share), int(base.height * self.random.uniform(0.35, 0.95))
        left, top = self.random.randint(0, base.width - width), self.random.randint(0, base.height - height)
        image = base.crop((left, top, left + width, top + height))
        if self.random.random() < 0.5:
            image = ImageOps.mirror(image)
        image = ImageEnhance.Brightness(image).enhance(self.random.uniform(0.75, 1.2))
        image = ImageEnhance.Color(image).enhance(self.random.uniform(0.6, 1.4))
        scale = longest_px / max(image.size)
        size = max(96, round(image.width * scale)), max(96, round(image.height * scale))
        return image.resize(size, Image.Resampling.LANCZOS)


class Collection:
    """Files on disk and what is true of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.truth: dict[str, dict[str, Any]] = {}
        self.others: dict[str, str] = {}
        root.mkdir(parents=True)

    def write(self, name: str, payload: bytes) -> None:
        """Write a file that is no image occurrence of its own."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)

    def image(self, name: str, payload: bytes, state: str = "kept", **truth: Any) -> None:
        """Write an image file and note the truth about it."""
        self.write(name, payload)
        self.note(name, state, **truth)

    def note(self, key: str, state: str = "kept", **truth: Any) -> None:
        """Note the truth about an occurrence."""
        self.truth[key] = {"state": state} | truth

    def other(self, name: str, payload: bytes, kind: str) -> None:
        """Write a file that holds no image: an annotation, a container, or something to skip."""
        self.write(name, payload)
        self.others[name] = kind


def class_folders(raw: Collection, variants: Variants) -> None:
    """Write class folders of plain photographs, one in five progressive, one in nine gray."""
    for label in CLASSES:
        for i in range(33):
            image = variants.next(label, longest_px=variants.random.choice([224, 256, 288]))
            gray = i % 9 == 4
            payload = encoded(image.convert("L") if gray else image, progressive=i % 5 == 0, optimize=True)
            raw.image(f"by_class/{label}/img_{i:03d}.jpg", payload, label=label, mode="L" if gray else "RGB", format="jpeg")


def captions(raw: Collection, variants: Variants) -> None:
    """Write photographs with a caption in a text file of the same name."""
    for i in range(24):
        label = CLASSES[i % len(CLASSES)]
        caption = f"a photo of a {label}, seen from the {'front' if i % 2 else 'side'}"
        raw.image(f"captions/{i:04d}.jpg", encoded(variants.next(label)), captions=[caption])
        raw.other(f"captions/{i:04d}.txt", f"{caption}\n".encode(), "annotation")


def table_of_labels(raw: Collection, variants: Variants) -> None:
    """Write photographs of mixed formats whose labels stand in a CSV, with one line too many and one image without a line."""
    kinds = [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")]
    rows = []
    for i in range(24):
        label = CLASSES[i % len(CLASSES)]
        suffix, kind = kinds[i % 3]
        name = f"item_{i:03d}.{suffix}"
        image = variants.next(label, longest_px=160 if kind == "PNG" else 224)
        options = {"quality": 80} if kind == "WEBP" else {}
        raw.image(f"shop/{name}", encoded(image, kind, **options), **({"label": label} if i else {}), format=kind.lower())
        if i:
            rows.append((name, label, f"{10 + i}.00"))
    rows.append(("never_delivered.jpg", "hat", "1.00"))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("file_name", "label", "price"), *rows])
    raw.other("shop/metadata.csv", text.getvalue().encode(), "annotation")


def coco(raw: Collection, variants: Variants) -> None:
    """Write photographs with boxes in one COCO file: one image is EXIF-rotated, one entry has no image."""
    images, annotations = [], []
    for i in range(12):
        label = CLASSES[i % len(CLASSES)]
        image = variants.next(label)
        box = [20.0, 10.0, 60.0, 40.0]
        exif = Image.Exif()
        truth_box = {"x_px": 20.0, "y_px": 10.0, "width_px": 60.0, "height_px": 40.0, "label": label}
        if i == 3:  # stored lying down: the camera was turned, and boxes are in the stored pixels
            exif[0x0112] = 6
            image = image.transpose(Image.Transpose.ROTATE_90)
            truth_box |= {"x_px": image.height - 10.0 - 40.0, "y_px": 20.0, "width_px": 40.0, "height_px": 60.0}
        raw.image(
            f"coco/{i:012d}.jpg", encoded(image, exif=exif), labels=[label], boxes=[truth_box], orientation=6 if i == 3 else 1
        )
        images.append({"id": i, "file_name": f"{i:012d}.jpg", "width": image.width, "height": image.height})
        annotations.append(
            {"id": i, "image_id": i, "category_id": i % len(CLASSES) + 1, "bbox": box, "area": 2400.0, "iscrowd": 0}
        )
    images.append({"id": 99, "file_name": "000000000099.jpg", "width": 640, "height": 480})
    annotations.append({"id": 99, "image_id": 99, "category_id": 1, "bbox": [0, 0, 5, 5], "area": 25, "iscrowd": 0})
    categories = [{"id": i + 1, "name": label} for i, label in enumerate(CLASSES)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    raw.other("coco/instances.json", json.dumps(document).encode(), "annotation")


def formats(raw: Collection, variants: Variants) -> None:
    """Write one of each format and mode that image collections hold."""
    new = variants.next
    raw.image("formats/baseline.jpg", encoded(new()), format="jpeg", mode="RGB")
    raw.image("formats/progressive.jpg", encoded(new(), progressive=True), format="jpeg", mode="RGB")
    raw.image("formats/gray.jpg", encoded(new().convert("L")), format="jpeg", mode="L")
    raw.image("formats/cmyk.jpg", encoded(new().convert("CMYK")), format="jpeg", mode="CMYK")
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes(12)  # the profile's date of creation would make each run differ
    raw.image("formats/icc.jpg", encoded(new(), icc_profile=bytes(profile)), format="jpeg", mode="RGB")
    raw.image("formats/gray_8bit.png", encoded(new(longest_px=128).convert("L"), "PNG"), format="png", mode="L", bits=8)
    luma = np.asarray(new(longest_px=128).convert("L"), np.uint16) * 257
    raw.image("formats/gray_16bit.png", encoded(Image.fromarray(luma), "PNG"), format="png", bits=16)
    palette = new(longest_px=128).quantize(64)
    raw.image("formats/palette_transparent.png", encoded(palette, "PNG", transparency=0), format="png", mode="P", has_alpha=True)
    rgba = new(longest_px=128)
    rgba.putalpha(Image.linear_gradient("L").resize(rgba.size))
    raw.image("formats/alpha.png", encoded(rgba, "PNG"), format="png", mode="RGBA", has_alpha=True)
    raw.image("formats/lossy.webp", encoded(new(), "WEBP", quality=80), format="webp")
    raw.image("formats/lossless.webp", encoded(new(longest_px=128), "WEBP", lossless=True), format="webp")
    pages = [new(longest_px=128).resize((128, 96)) for _ in range(3)]
    raw.image(
        "formats/three_pages.tiff",
        encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_adobe_deflate"),
        format="tiff",
        frame_count=3,
    )
    deep = np.asarray(new(longest_px=128).convert("L"), np.uint16) * 257
    raw.image("formats/gray_16bit.tif", encoded(Image.fromarray(deep), "TIFF", compression="tiff_lzw"), format="tiff", bits=16)
    frames = [new(longest_px=96).resize((96, 96)).quantize(64) for _ in range(4)]
    animation = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    raw.image("formats/animated.gif", animation, format="gif", frame_count=4)
    raw.image("formats/plain.bmp", encoded(new(longest_px=96), "BMP"), format="bmp")
    raw.image("formats/still.avif", encoded(new(), "AVIF", quality=70), format="avif")
    raw.image("formats/lossless.jp2", encoded(new(longest_px=96), "JPEG2000"), format="jpeg2000")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = new(longest_px=192).resize((192, 128))
        width, height = (128, 192) if orientation >= 5 else (192, 128)
        raw.image(
            f"exif/orientation_{orientation}.jpg",
            encoded(image, exif=exif),
            orientation=orientation,
            width_px=width,
            height_px=height,
        )


def archives(raw: Collection, variants: Variants) -> None:
    """Write a zip, a tar and a compressed tar of photographs, each with something nasty, and a zip cut short."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(10):
            _add_member(archive, f"photos/{i:02d}.jpg", encoded(variants.next()))
            raw.note(f"archives/photos.zip!photos/{i:02d}.jpg")
        for number in (1, 2):  # the same name twice, with other bytes: both count
            _add_member(archive, "photos/twice.jpg", encoded(variants.next()))
            raw.note("archives/photos.zip!photos/twice.jpg" + ("#2" if number == 2 else ""))
        _add_member(archive, "../../escape.jpg", encoded(variants.next()))
        raw.note("archives/photos.zip!../../escape.jpg", "quarantined", reason="unsafe_member")
    raw.other("archives/photos.zip", buffer.getvalue(), "container")

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for i in range(10):
            _add_tar_member(archive, f"set/{i:02d}.jpg", encoded(variants.next()))
            raw.note(f"archives/photos.tar!set/{i:02d}.jpg")
        for number in (1, 2):
            _add_tar_member(archive, "set/twice.jpg", encoded(variants.next()))
            raw.note("archives/photos.tar!set/twice.jpg" + ("#2" if number == 2 else ""))
        link = tarfile.TarInfo("set/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        raw.note("archives/photos.tar!set/link.jpg", "quarantined", reason="unsafe_member")
    raw.other("archives/photos.tar", buffer.getvalue(), "container")

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for i in range(6):
            _add_tar_member(archive, f"{i:02d}.jpg", encoded(variants.next()))
            raw.note(f"archives/more.tar.gz!{i:02d}.jpg")
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    raw.other("archives/more.tar.gz", compressor.compress(buffer.getvalue()) + compressor.flush(), "container")

    whole = (raw.root / "archives/photos.zip").read_bytes()
    raw.image("archives/cut_short.zip", whole[:5_000], "quarantined", reason="corrupt_container")


def _add_member(archive: zipfile.ZipFile, name: str, payload: bytes) -> None:
    with warnings.catch_warnings():  # zipfile warns of duplicate names, which are the point
        warnings.simplefilter("ignore", UserWarning)
        archive.writestr(zipfile.ZipInfo(name), payload)


def _add_tar_member(archive: tarfile.TarFile, name: str, payload: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(payload)
    archive.addfile(info, io.BytesIO(payload))


def embedded(raw: Collection, variants: Variants) -> None:
    """Write a Parquet table with embedded bytes, as Hugging Face datasets are, with one row that is no image."""
    rows = []
    for i in range(12):
        label = CLASSES[i % len(CLASSES)]
        payload = encoded(variants.next(label))
        if i == 7:
            payload = b"null"
            raw.note(f"tables/embedded.parquet#{i}", "quarantined", reason="not_an_image")
        else:
            raw.note(f"tables/embedded.parquet#{i}", label=label)
        rows.append({"image": {"bytes": payload, "path": f"{i}.jpg"}, "label": label})
    schema = pa.schema([("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.string())])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, row_group_size=5, compression="none")
    raw.other("tables/embedded.parquet", sink.getvalue().to_pybytes(), "container")


def duplicates(raw: Collection, variants: Variants) -> None:
    """Write exact copies under other names, equal pixels in other files, and near duplicates of three strengths."""
    for i in range(6):
        original = f"by_class/{CLASSES[i]}/img_000.jpg"
        raw.image(f"duplicates/copy of {i}.jpg", (raw.root / original).read_bytes(), "duplicate", duplicate_of=original)
    image = variants.next(longest_px=128)
    raw.image("duplicates/pixels_a.png", encoded(image, "PNG"))
    raw.image("duplicates/pixels_b.bmp", encoded(image, "BMP"), "duplicate", duplicate_of="duplicates/pixels_a.png")
    exif = Image.Exif()
    exif[0x010E] = "the same picture, described"
    plain = variants.next()
    raw.image("duplicates/plain_a.jpg", encoded(plain))
    raw.image("duplicates/plain_b.jpg", encoded(plain, exif=exif), "duplicate", duplicate_of="duplicates/plain_a.jpg")
    strengths = {
        "reencoded": lambda photo: encoded(photo, quality=55),
        "resized": lambda photo: encoded(photo.resize((photo.width * 3 // 4, photo.height * 3 // 4), Image.Resampling.LANCZOS)),
        "cropped": lambda photo: encoded(photo.crop((1, 1, photo.width - 1, photo.height - 1)), quality=85),
    }
    for strength, change in strengths.items():
        for i in range(4):
            photo, near = _near_pair(variants, change)
            group = f"{strength}_{i}"
            raw.image(f"near/{group}_a.jpg", encoded(photo, quality=90), near_group=group)
            raw.image(f"near/{group}_b.jpg", near, near_group=group)


def _near_pair(variants: Variants, change: Any) -> tuple[Image.Image, bytes]:
    """Return a photograph and its changed copy that its perceptual hash clearly still knows."""
    while True:
        photo = variants.next()
        copy = change(photo)
        if distance_bits(Image.open(io.BytesIO(encoded(photo, quality=90))), Image.open(io.BytesIO(copy))) <= NEAR_BITS:
            return photo, copy


def hazards(raw: Collection, variants: Variants) -> None:
    """Write what breaks pipelines: damage, lies, bombs, and names."""
    whole = encoded(variants.next(), quality=90)
    raw.image("hazards/truncated.jpg", whole[: len(whole) // 2], "quarantined", reason="truncated")
    raw.image("hazards/middle_damaged.jpg", _damaged(encoded(variants.next(), quality=90)), "quarantined", reason="damaged")
    png = bytearray(encoded(variants.next(longest_px=128), "PNG"))
    png[len(png) // 2] ^= 0xFF
    raw.image("hazards/bad_crc.png", bytes(png), "quarantined", reason="damaged")
    webp = encoded(variants.next(), "WEBP")
    raw.image("hazards/truncated.webp", webp[: len(webp) * 2 // 3], "quarantined", reason="truncated")
    tiff = encoded(variants.next(longest_px=96), "TIFF")
    raw.image("hazards/truncated.tif", tiff[: len(tiff) * 2 // 3], "quarantined", reason="truncated")
    raw.image("hazards/zero_bytes.jpg", b"", "quarantined", reason="empty")
    raw.image("hazards/really_a.png.jpg", encoded(variants.next(longest_px=128), "PNG"), format="png", flag="wrong_extension")
    raw.image("hazards/no_extension", encoded(variants.next()), format="jpeg")
    raw.image("hazards/text.jpg", b"this is a text that somebody called a picture\n" * 9, "quarantined", reason="not_an_image")
    page = b"<!DOCTYPE html><html><body>404: not found</body></html>\n"
    raw.image("hazards/error_page.jpg", page, "quarantined", reason="not_an_image")
    drawing = (
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
    )
    raw.image("hazards/drawing.svg", drawing, "quarantined", reason="vector_image")
    bomb = encoded(Image.new("1", (20_000, 20_000)), "PNG", optimize=True)
    raw.image("hazards/bomb.png", bomb, "quarantined", reason="too_many_pixels")
    trailing = encoded(variants.next()) + b"appended by a faulty program " * 40
    raw.image("hazards/trailing_bytes.jpg", trailing, flag="trailing_bytes")
    exif = Image.Exif()
    exif[0x0112] = 99
    raw.image("hazards/orientation_99.jpg", encoded(variants.next(), exif=exif), orientation=1, flag="odd_orientation")
    raw.image("hazards/tiny.png", encoded(variants.next().resize((8, 8)), "PNG"), "dropped", reason="too_small")
    raw.image("hazards/all_black.png", encoded(Image.new("RGB", (256, 256)), "PNG"))
    names = (
        "Fußgänger in Zürich.jpg",
        "日本語の写真.jpg",
        "صورة.jpg",
        "emoji 📷.jpg",
        "<script>alert(1)<_script>.jpg",
        "quote ' and \" double.jpg",
        "new\nline.jpg",
        "percent %20 & hash #1.jpg",
        "trailing space .jpg",
        "-rf.jpg",
        "$(touch injected).jpg",
    )
    for name in names:
        raw.image(f"names/{name}", encoded(variants.next()))
    raw.image("names/UPPER.JPG", encoded(variants.next()))
    raw.other(".DS_Store", b"\x00\x00\x00\x01Bud1", "skipped(hidden)")
    raw.other("by_class/Thumbs.db", b"\xd0\xcf\x11\xe0", "skipped(system)")
    raw.other("hazards/notes.md", b"# notes\nnot an image, and does not claim to be one\n", "skipped(other)")


def _damaged(payload: bytes) -> bytes:
    """Return the JPEG with bytes in its middle destroyed such that a strict decoder can tell, as it can of 9 in 10."""
    generator = random.Random(5)
    while True:
        damaged = bytearray(payload)
        start = generator.randint(len(payload) // 3, len(payload) // 2)
        damaged[start : start + 64] = generator.randbytes(64)
        try:
            simplejpeg.decode_jpeg(bytes(damaged), strict=True)
        except ValueError as fault:
            if "premature" not in str(fault).lower():
                return bytes(damaged)


def second_batch(more: Collection, raw: Collection, variants: Variants) -> None:
    """Write what arrives a week later: new photographs, copies of old ones, and a near duplicate of an old one."""
    for i in range(18):
        label = CLASSES[i % len(CLASSES)]
        more.image(f"week2/{label}/new_{i:02d}.jpg", encoded(variants.next(label)), label=label)
    for i in range(5):
        original = f"by_class/{CLASSES[i]}/img_001.jpg"
        more.image(f"again/copy_{i}.jpg", (raw.root / original).read_bytes(), "duplicate", duplicate_of=f"raw/{original}")
    first = Image.open(raw.root / "near/reencoded_0_a.jpg")
    more.image("again/near_old.jpg", encoded(first, quality=70), near_group="reencoded_0")
    more.image("again/broken.jpg", encoded(variants.next())[:2_000], "quarantined", reason="truncated")


def make(out: Path) -> None:
    """Write ``raw/``, ``more/``, ``TRUTH.json`` and ``CHECKSUMS.sha256`` below a folder."""
    for name in ("raw", "more"):
        shutil.rmtree(out / name, ignore_errors=True)
    variants = Variants(seed=20_260_101)
    raw, more = Collection(out / "raw"), Collection(out / "more")
    for part in (class_folders, captions, table_of_labels, coco, formats, archives, embedded, duplicates, hazards):
        part(raw, variants)
    second_batch(more, raw, variants)
    truth = {name: {"images": part.truth, "other_files": part.others} for name, part in (("raw", raw), ("more", more))}
    (out / "TRUTH.json").write_text(json.dumps(truth, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    (out / "CHECKSUMS.sha256").write_text("".join(f"{line}\n" for line in checksums(out)), encoding="utf-8")


def checksums(out: Path) -> list[str]:
    """Return one line per file: its sha256 and its name, as JSON text where it would break a line."""
    files = [path for name in ("raw", "more") for path in (out / name).rglob("*") if path.is_file()]
    lines = []
    for path in sorted(files, key=lambda path: path.relative_to(out).as_posix()):
        name = json.dumps(path.relative_to(out).as_posix(), ensure_ascii=False)
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}")
    return lines


def check(out: Path) -> list[str]:
    """Return the lines in which the files and ``CHECKSUMS.sha256`` differ."""
    committed = set((out / "CHECKSUMS.sha256").read_text(encoding="utf-8").splitlines())
    return sorted(committed ^ set(checksums(out)))


def main() -> None:
    """Make or check, as asked on the command line."""
    parser = argparse.ArgumentParser(description="Make the raw sample collection, or check it.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--check", action="store_true", help="compare what is there with its checksums")
    arguments = parser.parse_args()
    if not arguments.check:
        arguments.out.mkdir(parents=True, exist_ok=True)
        make(arguments.out)
        return
    differing = check(arguments.out)
    for line in differing:
        print(line)
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
