"""Runs strategies with nothing but backtesting.py, to compare with.

Usage: python plain_backtest.py CASH COMMISSION SPREAD FILE...; prints one JSON object: file -> figures and trades.
"""

import importlib.util
import json
import math
import sys
import warnings

import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.test import GOOG


def scalar(value):
    if isinstance(value, pd.Timedelta):
        return value.total_seconds() / 86400
    if isinstance(value, pd.Timestamp):
        return str(value)
    value = float(value)
    return value if math.isfinite(value) else None


def run(path, **costs):
    spec = importlib.util.spec_from_file_location("plain", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    strategy = next(v for v in vars(module).values() if isinstance(v, type) and v.__module__ == "plain")
    assert issubclass(strategy, Strategy)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stats = Backtest(GOOG, strategy, finalize_trades=True, **costs).run()
    table = stats["_trades"]
    columns = ["Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice", "SL", "TP", "PnL", "Commission"]
    return {
        "stats": {key: scalar(value) for key, value in stats.items() if not key.startswith("_")},
        "trades": [[None if v is None else scalar(v) for v in row] for row in table[columns].values.tolist()],
        "equity": [scalar(value) for value in stats["_equity_curve"]["Equity"]],
    }


cash, commission, spread = map(float, sys.argv[1:4])
print(json.dumps({path: run(path, cash=cash, commission=commission, spread=spread) for path in sys.argv[4:]}))
