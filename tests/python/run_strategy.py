"""Run one strategy file on backtesting.py's GOOG sample and print the result as one JSON object.

Usage: python run_strategy.py FILE [DIRECTORY_OF_INDICATORS]

A strategy that cannot be loaded or run ends with a traceback and a non-zero code; the standard output then stays empty.
"""

import importlib.util
import json
import math
import sys
import warnings

from backtesting import Backtest, Strategy
from backtesting.test import GOOG


def load(path):
    """The one strategy class that the file defines."""
    spec = importlib.util.spec_from_file_location("generated_strategy", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise SystemExit(f"expected one strategy class, found {len(found)}")
    return found[0]


def number(value):
    """JSON knows no NaN."""
    value = float(value)
    return value if math.isfinite(value) else None


def main():
    sys.path[:0] = sys.argv[2:3]
    strategy = load(sys.argv[1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stats = Backtest(GOOG, strategy, cash=100_000, commission=0.002, finalize_trades=True).run()
    trades = stats["_trades"]
    result = {
        "class": strategy.__name__,
        "trades": int(stats["# Trades"]),
        "long_trades": int((trades["Size"] > 0).sum()),
        "short_trades": int((trades["Size"] < 0).sum()),
        "return_pct": number(stats["Return [%]"]),
        "win_rate_pct": number(stats["Win Rate [%]"]),
        "max_drawdown_pct": number(stats["Max. Drawdown [%]"]),
        "sharpe": number(stats["Sharpe Ratio"]),
        "entry_bars": [int(bar) for bar in trades["EntryBar"]],
        "exit_bars": [int(bar) for bar in trades["ExitBar"]],
        "warnings": sorted({str(w.message) for w in caught}),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
