"""What counts as equal pixels, and what does not although its pixels are equal."""

import io

import polars as pl
from conftest import SAMPLE
from PIL import Image

from toolkit.curation.dedupe import near_groups, twin_candidates
from toolkit.curation.examine import examine

TWINS = {"image_id": pl.String, "sha256": pl.String, "width_px": pl.Int32, "height_px": pl.Int32, "luma_hash": pl.String}
TWINS |= {"pixel_hash": pl.String}
HISTORY = {"perceptual_hash": pl.Int64, "duplicate_group": pl.String}


def test_a_png_of_a_jpegs_exact_pixels_is_a_near_duplicate_and_no_exact_one():
    """The luma of a JPEG is scaled by libjpeg, that of a PNG by a box: candidates for exact copies are those of equal luma."""
    payload = min((SAMPLE / "photos").glob("*.jpg")).read_bytes()
    buffer = io.BytesIO()
    Image.open(io.BytesIO(payload), formats=["JPEG"]).save(buffer, "PNG")
    facts = [examine(encoded, name="a").facts for encoded in (payload, buffer.getvalue())]
    assert facts[0]["pixel_hash"] is None, "hashed only where another image has its luma"
    assert facts[0]["luma_hash"] != facts[1]["luma_hash"]
    rows = pl.DataFrame([{"row": at, "source": "ab"[at]} | known for at, known in enumerate(facts)], infer_schema_length=None)
    new = rows.select(pl.col(name).cast(kind) for name, kind in TWINS.items())
    assert twin_candidates(new, pl.DataFrame(schema=TWINS)).is_empty()
    near = near_groups(rows.with_columns(pl.col("row").cast(pl.UInt32)), pl.DataFrame(schema=HISTORY), 4)
    assert near.members["duplicate_group"].n_unique() == 1
