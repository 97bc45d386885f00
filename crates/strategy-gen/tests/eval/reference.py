"""Run every accepted description's file under backtesting.py and, apart from it, its signals in plain pandas and TA-Lib.

Usage: python reference.py DIRECTORY_OF_INDICATORS PRICES_CSV < JOBS

A job is one JSON line: {"text", "code", "signals": {"long", "exit", ...}}. For each, one JSON line comes out with the
trades of both as [entry bar, exit bar, side]. The reference shares no code with the program or with backtesting.py.
"""

import json
import sys
import warnings

import numpy as np
import pandas as pd
import talib

sys.path.insert(0, sys.argv[1])
from backtesting import Backtest, Strategy  # noqa: E402

warnings.simplefilter("ignore")


class Lines:
    """Lines by name; remembers from where on each is known."""

    def __init__(self, data):
        self.o, self.h, self.l, self.c, self.v = (data[n].to_numpy(float) for n in
                                                  ("Open", "High", "Low", "Close", "Volume"))
        self.first = 0
        self.history = 0

    def keep(self, line):
        self.first = max(self.first, int(np.argmin(np.isnan(line))))
        return line

    def names(self):
        o, h, l, c, v, keep = self.o, self.h, self.l, self.c, self.v, self.keep

        def lag(line, bars):
            self.history = max(self.history, bars)
            return np.concatenate((np.full(bars, np.nan), line[:-bars]))

        def before(line):
            return np.concatenate(([np.nan], line[:-1])) if isinstance(line, np.ndarray) else line

        def held(condition, bars):
            self.history = max(self.history, bars - 1)
            return pd.Series(condition).astype(float).rolling(bars).min().to_numpy() == 1

        def macd(fast, slow, signal):
            # The line alone is known earlier than TA-Lib shows it; a signal of one bar makes TA-Lib show it.
            return keep(talib.MACD(c, fast, slow, 1)[0])

        typical = pd.Series((h + l + c) / 3)
        volume = pd.Series(v)
        return {
            "o": o, "h": h, "l": l, "c": c, "v": v, "lag": lag, "held": held,
            "up": lambda a, b: (before(a) <= before(b)) & (a > b),
            "down": lambda a, b: (before(a) >= before(b)) & (a < b),
            "sma": lambda n: keep(talib.SMA(c, n)), "ema": lambda n: keep(talib.EMA(c, n)),
            "wma": lambda n: keep(talib.WMA(c, n)), "rsi": lambda n: keep(talib.RSI(c, n)),
            "macd": macd,
            "macd_signal": lambda *p: keep(talib.MACD(c, *p)[1]), "macd_hist": lambda *p: keep(talib.MACD(c, *p)[2]),
            "bb": lambda n, w: keep(talib.BBANDS(c, n, abs(w), abs(w))[0 if w > 0 else 2]),
            "stoch_k": lambda n, s, d: keep(talib.STOCH(h, l, c, n, s, 0, 1, 0)[0]),
            "stoch_d": lambda n, s, d: keep(talib.STOCH(h, l, c, n, s, 0, d, 0)[1]),
            "adx": lambda n: keep(talib.ADX(h, l, c, n)), "plus_di": lambda n: keep(talib.PLUS_DI(h, l, c, n)),
            "minus_di": lambda n: keep(talib.MINUS_DI(h, l, c, n)), "cci": lambda n: keep(talib.CCI(h, l, c, n)),
            "roc": lambda n: keep(talib.ROC(c, n)), "mom": lambda n: keep(talib.MOM(c, n)),
            "atr": lambda n: keep(talib.ATR(h, l, c, n)),
            "vwap": lambda n: keep(((typical * volume).rolling(n).sum() / volume.rolling(n).sum()).to_numpy()),
            "vol": lambda n: keep(volume.rolling(n).mean().to_numpy()),
            "previous_high": lambda n: keep(before(talib.MAX(h, n))),
            "previous_low": lambda n: keep(before(talib.MIN(l, n))),
        }


def distance(text, names):
    """"5%" or "2 atr 14" as the distance on each bar."""
    if text.endswith("%"):
        return names["c"] * float(text[:-1]) / 100
    multiple, _, period = text.split()
    return float(multiple) * names["atr"](int(period))


def simulate(data, signals):
    """Signals at the close, fills at the next open; stops and targets inside the bar, the stop first."""
    lines = Lines(data)
    names = lines.names()
    o, h, l, c = lines.o, lines.h, lines.l, lines.c
    never = np.zeros(len(c), bool)
    rule = {key: eval(signals[key], {}, names) if key in signals else never  # the set's own expressions
            for key in ("long", "exit", "short", "cover")}
    stop = distance(signals["stop"], names) if "stop" in signals else None
    trail = distance(signals["trail"], names) if "trail" in signals else None
    target = None
    if "target" in signals:
        reward = signals["target"].endswith("R")
        target = float(signals["target"][:-1]) * stop if reward else distance(signals["target"], names)
    bars = int(signals["bars"]) if "bars" in signals else None
    # A decision needs every line on this bar and the one before.
    start = max(lines.first + 1, lines.history, 1)
    trades, position, order, leaving = [], None, None, False
    for t in range(start, len(c)):
        if leaving and position:
            trades.append([position["bar"], t, position["side"]])
            position, leaving = None, False
        if order and position is None:
            position = {"side": order["side"], "bar": t, "stop": order["stop"], "target": order["target"]}
        order, leaving = None, False
        if position:
            side = position["side"]
            worst, best = (l[t], h[t]) if side > 0 else (-h[t], -l[t])
            hit = position["stop"] is not None and worst <= side * position["stop"]
            reached = position["target"] is not None and best >= side * position["target"]
            if hit or reached:
                trades.append([position["bar"], t, side])
                position = None
        if position and trail is not None:
            side = position["side"]
            position["stop"] = side * max(side * position["stop"], side * (c[t] - side * trail[t]))
        enter = 1 if rule["long"][t] else -1 if rule["short"][t] else 0
        if position:
            side = position["side"]
            out = rule["exit"][t] if side > 0 else rule["cover"][t]
            leaving = bool(out) or (bars is not None and t + 1 - position["bar"] >= bars)
            wanted = -side if leaving and (rule["long"][t] if side < 0 else rule["short"][t]) else 0
        else:
            wanted = enter
        if wanted:
            stops = [c[t] - wanted * d[t] for d in (stop, trail) if d is not None]
            nearest = (max(stops) if wanted > 0 else min(stops)) if stops else None
            order = {"side": wanted, "stop": nearest, "target": None if target is None else c[t] + wanted * target[t]}
    if position:
        trades.append([position["bar"], len(c) - 1, position["side"]])
    return sorted(trades)


def backtest(data, code):
    """The trades of the file under backtesting.py, without costs."""
    module = {"__name__": "generated"}
    exec(compile(code, "strategy.py", "exec"), module)  # what is tested is the file
    strategy = next(value for value in module.values()
                    if isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy)
    trades = Backtest(data, strategy, cash=1e7, finalize_trades=True).run()["_trades"]
    return sorted([int(t.EntryBar), int(t.ExitBar), 1 if t.Size > 0 else -1] for t in trades.itertuples())


def main():
    data = pd.read_csv(sys.argv[2], index_col=0, parse_dates=True)
    for line in sys.stdin:
        job = json.loads(line)
        answer = {"text": job["text"]}
        try:
            answer["reference"] = simulate(data, job["signals"])
            answer["file"] = backtest(data, job["code"])
        except Exception as error:  # told to the test, which fails with it
            answer["error"] = f"{type(error).__name__}: {error}; cause: {error.__cause__!r}"
        print(json.dumps(answer), flush=True)


main()
