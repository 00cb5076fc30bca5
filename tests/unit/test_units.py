import math

import pytest

from toolkit.errors import UnitError
from toolkit.units import GB, GIB, MONTH_S, parse_quantity, show


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("40 TB", "bytes", 40e12),
        ("64 GiB", "bytes", 64 * 2**30),
        ("64GiB", "bytes", 64 * 2**30),
        ("10 KB", "bytes", 10_000),
        ("1,000,000 B", "bytes", 1e6),
        (512, "bytes", 512),
        ("100 Gb/s", "bytes_per_s", 12.5e9),
        ("100 Gbps", "bytes_per_s", 12.5e9),
        ("2 GB/s", "bytes_per_s", 2e9),
        ("2 GiB/s", "bytes_per_s", 2 * 2**30),
        ("15 ms", "s", 0.015),
        ("90 days", "s", 90 * 86_400),
        ("3 months", "s", 3 * MONTH_S),
        ("700 W", "w", 700),
        ("24.7 GFLOP", "flop", 24.7e9),
        ("989 TFLOP/s", "flop_per_s", 989e12),
        ("989 TFLOPS", "flop_per_s", 989e12),
        ("$2.50/h", "usd_per_s", 2.5 / 3600),
        ("0.12 USD/kWh", "usd_per_j", 0.12 / 3.6e6),
        ("0.023 USD/GB/month", "usd_per_byte_s", 0.023 / 1e9 / MONTH_S),
        ("178 Mpx", "pixels", 178e6),
        ("2000 images/s", "images_per_s", 2000),
        ("50 requests/s", "per_s", 50),
        ("20 %", "share", 0.2),
        (0.2, "share", 0.2),
        ("0.4 kg/kWh", "g_per_j", 400 / 3.6e6),
    ],
)
def test_what_people_write_is_read(text: str | float, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "unit", "fragment"),
    [
        ("", "bytes", "write a number and a unit, for example '40 TB'"),
        ("many", "bytes", "is not a quantity"),
        ("5 bananas", "bytes", "'bananas' is not a unit of this kind"),
        ("40 TB", "s", "'TB' is not a unit of this kind; write for example '90 days'"),
        ("1,5 TB", "bytes", "the comma is ambiguous"),
        ("1e999 TB", "bytes", "not a finite quantity"),
        (float("nan"), "bytes", "not a finite quantity"),
        (True, "bytes", "is not a quantity"),
        ("2 **99999999", "s", "is not a unit"),
        ("3 h 20 min", "s", "is not a unit"),
        ("__import__('os')", "s", "is not a quantity"),
        ("20 GB", "share", "is not a share"),
    ],
)
def test_what_is_no_quantity_is_refused_with_an_example(text: str | float, unit: str, fragment: str) -> None:
    with pytest.raises(UnitError, match=fragment.replace("*", r"\*").replace("(", r"\(")):
        parse_quantity(text, unit)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "bytes", "0 B"),
        (999, "bytes", "999 B"),
        (1e18, "bytes", "1 EB"),
        (999_999, "bytes", "1 MB"),
        (12.5e9, "bytes_per_s", "12.5 GB/s"),
        (0.0000123, "s", "12.3 µs"),
        (90, "s", "90 s"),
        (5400, "s", "90 min"),
        (10 * 86_400, "s", "10 days"),
        (0.123456, "share", "12.3 %"),
        (985.4, "images_per_s", "985 images/s"),
        (-1500, "usd", "-$1,500"),
        (2.5e6, "usd", "$2.5 M"),
        (None, "bytes", "unknown"),
        (math.nan, "usd", "unknown"),
        (math.inf, "s", "unbounded"),
    ],
)
def test_numbers_are_shown_as_people_read_them(value: float | None, unit: str, text: str) -> None:
    assert show(value, unit) == text


def test_decimal_and_binary_prefixes_differ() -> None:
    assert parse_quantity("1 GB", "bytes") == GB
    assert parse_quantity("1 GiB", "bytes") == GIB
    assert GIB > GB
