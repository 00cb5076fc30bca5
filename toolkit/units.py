"""Quantities in text: parse what people write, show what people read.

Inside Tonnage every number is in a base unit and its name says which (``size_bytes``, ``elapsed_s``, ``power_w``,
``price_usd``); shares are 0 to 1. Larger units exist only here. The table of units is the one below; Pint parses it,
so that compound units ("100 Gb/s", "0.12 USD/kWh", "0.023 USD/GB/month") need no code of ours.

Source: SI brochure 9th ed. (prefixes), IEC 80000-13 (binary prefixes); a month is 1/12 of a Julian year (30.4375 days).
"""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import UnitError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pint

__all__ = ["GB", "GIB", "KIB", "MB", "MIB", "MONTH_S", "TB", "YEAR_S", "parse_quantity", "show"]

KIB: Final = 2**10
MIB: Final = 2**20
GIB: Final = 2**30
MB: Final = 10**6
GB: Final = 10**9
TB: Final = 10**12
MONTH_S: Final = 30.4375 * 86_400
YEAR_S: Final = 12 * MONTH_S

_DEFINITIONS: Final = """
kilo- = 1e3 = k-
mega- = 1e6 = M-
giga- = 1e9 = G-
tera- = 1e12 = T-
peta- = 1e15 = P-
exa- = 1e18 = E-
zetta- = 1e21 = Z-
yotta- = 1e24 = Y-
kibi- = 2**10 = Ki-
mebi- = 2**20 = Mi-
gibi- = 2**30 = Gi-
tebi- = 2**40 = Ti-
pebi- = 2**50 = Pi-
exbi- = 2**60 = Ei-
milli- = 1e-3 = m-
micro- = 1e-6 = u- = µ-
nano- = 1e-9 = n-
byte = [information] = B
bit = byte / 8 = b
second = [time] = s = sec
minute = 60 * second = min
hour = 3600 * second = h = hr
day = 86400 * second = d
week = 604800 * second = wk
month = 2629800 * second = mo
year = 31557600 * second = yr
watt = [power] = W
joule = watt * second = J
flop = [computation] = FLOP
pixel = [pixel] = px
dollar = [currency] = USD
image = [item] = _ = sample = record
request = []
gram = [mass] = g
"""

_BASE: Final = {
    "bytes": "byte",
    "bytes_per_s": "byte / second",
    "s": "second",
    "w": "watt",
    "j": "joule",
    "flop": "flop",
    "flop_per_s": "flop / second",
    "usd": "dollar",
    "usd_per_byte_s": "dollar / byte / second",
    "usd_per_byte": "dollar / byte",
    "usd_per_j": "dollar / joule",
    "usd_per_s": "dollar / second",
    "pixels": "pixel",
    "images": "image",
    "images_per_s": "image / second",
    "per_s": "1 / second",
    "g_per_j": "gram / joule",
}
"""Base units by the suffix that names carry."""

_EXAMPLES: Final = {
    "bytes": "'40 TB' or '64 GiB'",
    "bytes_per_s": "'100 Gb/s' or '2 GB/s'",
    "s": "'90 days' or '15 ms'",
    "w": "'700 W' or '10 kW'",
    "flop": "'24.7 GFLOP'",
    "flop_per_s": "'989 TFLOP/s'",
    "usd": "'25000 USD'",
    "usd_per_byte_s": "'0.023 USD/GB/month'",
    "usd_per_byte": "'0.09 USD/GB'",
    "usd_per_j": "'0.12 USD/kWh'",
    "usd_per_s": "'2.50 USD/h'",
    "pixels": "'178 Mpx'",
    "images_per_s": "'2000 images/s'",
    "per_s": "'50 /s'",
    "share": "'20 %' or 0.2",
}

_NUMBER: Final = re.compile(r"^\s*([+-]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*$", re.DOTALL)
_THOUSANDS: Final = re.compile(r"^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?(?:[eE][+-]?\d+)?$")
_UNIT: Final = re.compile(r"^[A-Za-zµ%$/(][A-Za-zµ%$/*·() ]*$")
_SPELLINGS: Final = [
    (re.compile(r"^([kKMGTP]?)bps$"), r"\1b/s"),
    (re.compile(r"^([kMGTPE]?)FLOPS$"), r"\1FLOP/s"),
    (re.compile(r"^([kMGT]?)Wh$"), r"(\1W*h)"),
    (re.compile(r"^K(b|b/s|B)$"), r"k\1"),
    (re.compile(r"^\$$"), "USD"),
]
"""Spellings people use, brought to the table's."""


@functools.cache
def _registry() -> pint.UnitRegistry[Any]:
    import pint

    registry: pint.UnitRegistry[Any] = pint.UnitRegistry(None, on_redefinition="raise")
    registry.load_definitions(_DEFINITIONS.strip().splitlines())
    return registry


def parse_quantity(text: str | float, unit: str) -> float:
    """Return the value of a quantity in its base unit.

    Parameters
    ----------
    text : str or number
        What a person writes: ``"40 TB"``, ``"100 Gb/s"``, ``"90 days"``, ``"20 %"``. A bare number is taken to be in
        the base unit already.
    unit : str
        The suffix that names the base unit: ``"bytes"``, ``"bytes_per_s"``, ``"s"``, ``"w"``, ``"flop"``, ``"usd"``,
        ``"share"``, ... (all in ``_BASE``).

    Returns
    -------
    float
        The value in the base unit.

    Raises
    ------
    UnitError
        If the text is no number with a unit of that kind; the message shows an example.

    Examples
    --------
    >>> parse_quantity("40 TB", "bytes")
    40000000000000.0
    >>> parse_quantity("100 Gb/s", "bytes_per_s")
    12500000000.0
    >>> parse_quantity("20 %", "share")
    0.2
    """
    if isinstance(text, bool):
        raise UnitError(f"{text!r} is not a quantity; write for example {_example(unit)}")
    if isinstance(text, int | float):
        return _finite(float(text), repr(text), unit)
    match = _NUMBER.match(re.sub(r"^\s*\$\s*([\d.,_]+)", r"\1 USD", text))
    if not match:
        raise UnitError(f"'{text}' is not a quantity; write a number and a unit, for example {_example(unit)}")
    number_text, unit_text = match.groups()
    if "," in number_text and not _THOUSANDS.match(number_text):
        raise UnitError(f"'{text}': the comma is ambiguous; write 1,000,000 or 1.5, for example {_example(unit)}")
    number = float(number_text.replace(",", "").replace("_", ""))
    return _finite(number * _factor(unit_text, unit, text), repr(text), unit)


def _factor(unit_text: str, unit: str, text: str) -> float:
    if unit == "share":
        if unit_text in {"%", "percent"}:
            return 0.01
        if not unit_text:
            return 1.0
        raise UnitError(f"'{text}' is not a share; write for example {_example(unit)}")
    if not unit_text:
        return 1.0
    if not _UNIT.match(unit_text) or "**" in unit_text:
        raise UnitError(f"'{text}': '{unit_text}' is not a unit; write for example {_example(unit)}")
    registry = _registry()
    try:
        quantity = registry.parse_expression("1 " + _spell(unit_text))
        return float(quantity.to(_BASE[unit]).magnitude)
    except Exception as fault:  # Pint raises a dozen kinds, some of them from its tokenizer
        raise UnitError(f"'{text}': '{unit_text}' is not a unit of this kind; write for example {_example(unit)}") from fault


def _spell(unit_text: str) -> str:
    """Return the unit as Pint reads it: plurals and the network's abbreviations resolved."""
    spelt = unit_text.replace("·", "*")
    if spelt.startswith("/"):
        spelt = "1" + spelt
    words = re.split(r"([A-Za-zµ$]+)", spelt)
    for pattern, spelling in _SPELLINGS:
        words = [pattern.sub(spelling, word) for word in words]
    return "".join(words)


def _example(unit: str) -> str:
    return _EXAMPLES.get(unit, f"a number in {unit}")


def _finite(value: float, text: str, unit: str) -> float:
    if not math.isfinite(value):
        raise UnitError(f"{text} is not a finite quantity; write for example {_example(unit)}")
    return value


_SCALES: Final = [(1e24, "Y"), (1e21, "Z"), (1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
_SYMBOLS: Final = {
    "bytes": "B",
    "bytes_per_s": "B/s",
    "w": "W",
    "flop": "FLOP",
    "flop_per_s": "FLOP/s",
    "pixels": "px",
    "pixels_per_s": "px/s",
}
_PLAIN: Final = {
    "images": "images", "images_per_s": "images/s", "per_s": "/s", "kg": "kg",
    "count": "", "ratio": "", "exponent": "", "index": "", "month": "", "": "",
}  # fmt: skip
_PER_HOUR: Final = 3600.0
_PER_KWH: Final = 3.6e6


def show(value: float | None, unit: str, digits: int = 3) -> str:
    """Return a number as people read it, with its unit.

    Parameters
    ----------
    value : float or None
        The value in its base unit; None and NaN are shown as ``"unknown"``, never as 0.
    unit : str
        The suffix that names the base unit; an unknown suffix is printed behind the number.
    digits : int
        Significant digits.

    Examples
    --------
    >>> show(40e12, "bytes"), show(0.015, "s"), show(7.776e6, "s"), show(0.2, "share"), show(1234567, "images")
    ('40 TB', '15 ms', '90 days', '20 %', '1.23 M images')
    >>> show(None, "bytes"), show(2500, "usd"), show(0.002, "usd_per_s"), show(1.25, "ratio")
    ('unknown', '$2,500', '$7.2/h', '1.25')
    >>> show(3.97e9, "j"), show(0.012, "j")
    ('1.1 MWh', '0.012 J')
    """
    if value is None or not math.isfinite(value):
        return "unknown" if value is None or math.isnan(value) else "unbounded"
    if unit in _SHOWN:
        return _SHOWN[unit](value, digits)
    if unit in _SYMBOLS:
        scale, prefix = _scale(value)
        return f"{_significant(value / scale, digits)} {prefix}{_SYMBOLS[unit]}"
    label = _PLAIN.get(unit, unit)
    if abs(value) < 1e5:
        return f"{_significant(value, max(digits, 5) if value == int(value) else digits)} {label}".strip()
    scale, prefix = _scale(value)
    return f"{_significant(value / scale, digits)} {prefix} {label}".strip()


def _scale(value: float) -> tuple[float, str]:
    return next(((scale, prefix) for scale, prefix in _SCALES if abs(value) >= scale * 0.9995), (1.0, ""))


def _significant(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    if not 1e-6 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _dollars(value: float, digits: int) -> str:
    sign = "-" if value < 0 else ""
    value = abs(value)
    if value >= 1e6:
        scale, prefix = _scale(value)
        return f"{sign}${_significant(value / scale, digits)} {prefix}"
    return f"{sign}${value:,.0f}" if value >= 100 else f"{sign}${_significant(value, digits)}"


def _seconds(value: float, digits: int) -> str:
    size = abs(value)
    steps = [(2 * YEAR_S, YEAR_S, "years"), (2 * 86_400, 86_400, "days"), (2 * 3600, 3600, "h"), (120, 60, "min"), (1, 1, "s")]
    steps += [(1e-3, 1e-3, "ms"), (1e-6, 1e-6, "µs"), (0, 1e-9, "ns")]
    if value == 0:
        return "0 s"
    _, scale, label = next(step for step in steps if size >= step[0])
    return f"{_significant(value / scale, digits)} {label}"


def _joules(value: float, digits: int) -> str:
    """Return an energy in watt hours, as it is metered and paid; one below a watt hour in joules."""
    in_hours = abs(value) >= _PER_HOUR
    held = value / _PER_HOUR if in_hours else value
    scale, prefix = _scale(held)
    return f"{_significant(held / scale, digits)} {prefix}{'Wh' if in_hours else 'J'}"


def _percent(value: float, digits: int) -> str:
    return f"{_significant(value * 100, digits)} %"


_SHOWN: Final[dict[str, Callable[[float, int], str]]] = {
    "share": _percent,
    "usd": _dollars,
    "s": _seconds,
    "j": _joules,
    "usd_per_s": lambda value, digits: f"{_dollars(value * _PER_HOUR, digits)}/h",
    "usd_per_byte": lambda value, digits: f"{_dollars(value * GB, digits)}/GB",
    "usd_per_byte_s": lambda value, digits: f"{_dollars(value * GB * MONTH_S, digits)}/GB/month",
    "usd_per_j": lambda value, digits: f"{_dollars(value * _PER_KWH, digits)}/kWh",
    "g_per_j": lambda value, digits: f"{_significant(value * _PER_KWH, digits)} g/kWh",
}
