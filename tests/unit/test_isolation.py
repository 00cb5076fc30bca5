import os
import time

import pytest

from toolkit.curation.isolation import IsolatedProcess


def test_the_killer_is_told_and_the_next_call_goes_on():
    with IsolatedProcess(deadline_s=30) as isolated:
        assert isolated.call(abs, -3) == 3
        with pytest.raises(ChildProcessError, match="died"):
            isolated.call(os._exit, 139)
        assert isolated.call(abs, -4) == 4
        with pytest.raises(ValueError, match="invalid literal"):
            isolated.call(int, "x")


def test_what_hangs_is_ended():
    with IsolatedProcess(deadline_s=2) as isolated:
        started = time.perf_counter()
        with pytest.raises(ChildProcessError, match="did not answer for 2 s"):
            isolated.call(time.sleep, 60)
        assert time.perf_counter() - started < 20
