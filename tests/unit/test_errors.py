import re

import toolkit.errors
from toolkit.errors import MissingError, RefusedShareError, TonnageError, UnitError, UsageError


def test_exit_codes_are_those_documented() -> None:
    assert (TonnageError.exit_code, UsageError.exit_code, UnitError.exit_code, RefusedShareError.exit_code) == (1, 2, 2, 3)


def test_every_error_stands_in_the_tree_drawn_on_top() -> None:
    drawn = set(re.findall(r"(\w+Error)\b", toolkit.errors.__doc__ or "")) - {
        "ValueError",
        "FileNotFoundError",
        "OSError",
        "ImportError",
    }
    assert drawn == set(toolkit.errors.__all__)


def test_the_message_is_the_sentence_even_with_a_builtin_parent() -> None:
    assert str(MissingError("there is no folder at 'x'")) == "there is no folder at 'x'"
