"""The reference of reasons and flags: complete, and the page that people read."""

from __future__ import annotations

import re

from conftest import ROOT

from toolkit.curation.reasons import FLAGS, REASONS, reference, refusal

SOURCES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "toolkit" / "curation").rglob("*.py")}


def test_the_page_is_what_the_code_says() -> None:
    page = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    how = "write it anew: python -c 'from toolkit.curation.reasons import reference; print(reference(), end=\"\")' > docs/reasons.md"
    assert page == reference(), how


def test_every_reason_says_where_what_and_what_to_do() -> None:
    for code, reason in REASONS.items():
        assert re.fullmatch(r"[a-z0-9_]+", code)
        assert reason.stage in {"discover", "read", "sniff", "header", "decode", "pack"}
        assert reason.advice.endswith(".")
        assert not reason.sentence.endswith(".")
        assert refusal(code).stage == reason.stage


def test_no_code_is_used_that_is_not_in_the_reference() -> None:
    used = {code for text in SOURCES.values() for code in re.findall(r'\brefusal\(\s*"(\w+)"', text)}
    assert len(used) > 8
    assert used <= set(REASONS)


def test_no_flag_is_set_that_is_not_in_the_reference() -> None:
    setters = r'(?:flags=\(|flags\.append\(|\*flags, |\*header\.flags, |"flag", )"(\w+)"'
    used = {flag for text in SOURCES.values() for flag in re.findall(setters, text)}
    assert used >= {"multi_frame", "frames_unchecked", "odd_metadata"}
    assert used <= set(FLAGS)
