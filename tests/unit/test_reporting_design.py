"""The report's colours: contrast with their background, apart in gray and for eyes that lack a cone, in light and in dark."""

from __future__ import annotations

import itertools
import math

import pytest

from toolkit.reporting.design import INK, LEVELS, MUTED, SEQUENCE, SURFACE, dark_twins

SCREENS = {"light": {color: color for color in dark_twins()}, "dark": dark_twins()}


def luminance(color: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lightness(color: str) -> float:
    """Return CIE L*, which is all that gray print keeps of a colour."""
    y = luminance(color)
    return 116 * math.cbrt(y) - 16 if y > 0.008856 else 903.3 * y


@pytest.mark.parametrize("screen", SCREENS)
def test_what_is_drawn_stands_out_from_its_background(screen: str) -> None:
    shown = SCREENS[screen]
    assert {color: round(contrast(shown[color], shown[SURFACE]), 2) for color in (*SEQUENCE, *LEVELS)
            if contrast(shown[color], shown[SURFACE]) < 3} == {}  # fmt: skip
    assert min(contrast(shown[color], shown[SURFACE]) for color in (INK, MUTED)) >= 4.5


@pytest.mark.parametrize("screen", SCREENS)
def test_categories_are_told_apart_in_gray(screen: str) -> None:
    shown = sorted(lightness(SCREENS[screen][color]) for color in SEQUENCE)
    assert min(after - before for before, after in itertools.pairwise(shown)) >= 4


@pytest.mark.parametrize("screen", SCREENS)
def test_levels_rise_in_one_direction(screen: str) -> None:
    shown = [lightness(SCREENS[screen][color]) for color in LEVELS]
    steps = [after - before for before, after in itertools.pairwise(shown)]
    assert all(step < 0 for step in steps) if screen == "light" else all(step > 0 for step in steps)
    assert min(map(abs, steps)) >= 8
