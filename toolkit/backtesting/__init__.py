"""Small sizes fitted, larger ones predicted, and then measured: how far projections are to be believed."""

from __future__ import annotations

from toolkit.backtesting.run import backtest

__all__ = ["backtest"]
