"""The page of formulas is what the code says."""

from __future__ import annotations

from conftest import ROOT

from toolkit.projection.formula_page import formula_page


def test_the_page_is_current() -> None:
    """Write it anew with: python -c "from toolkit.projection.formula_page import *; print(formula_page(), end='')" > docs/formulas.md"""
    page = formula_page()
    assert (ROOT / "docs" / "formulas.md").read_text(encoding="utf-8") == page
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 120
    assert all(row.count(" | ") == 6 for row in rows)
    assert all(row.rsplit(" | ", 1)[1].strip(" |") for row in rows)
