"""Compare every function of the shipped indicators with TA-Lib or pandas; print the number of comparisons.

Usage: python indicators_against_talib.py DIRECTORY_OF_INDICATORS PRICES_CSV

Ends with a non-zero code and the differences when a value differs by more than 1e-9 of its size.
"""

import sys

import numpy as np
import pandas as pd
import talib

sys.path.insert(0, sys.argv[1])
import indicators as ours  # noqa: E402  (the directory is an argument)

PERIODS = (2, 3, 5, 10, 14, 20, 50, 200)


def usual_prices():
    table = pd.read_csv(sys.argv[2], index_col=0)
    return {name: table[name].to_numpy(dtype=float) for name in ("Open", "High", "Low", "Close", "Volume")}


def samples():
    """Realistic prices, and what real data has in its corners."""
    usual = usual_prices()
    yield "usual", usual
    for length in (1, 2, 15, 27, 34, 60):
        yield f"{length} bars", {name: values[:length] for name, values in usual.items()}
    yield "constant", {name: np.full(300, 100.0) for name in usual}
    flat = {name: values[:600].copy() for name, values in usual.items()}
    for values in flat.values():
        values[200:420] = values[200]
    flat["High"][200:420] = flat["Low"][200:420] = flat["Open"][200:420] = flat["Close"][200]
    yield "a long standstill", flat
    gaps = {name: values[:800].copy() for name, values in usual.items()}
    for column in ("Open", "High", "Low", "Close"):
        gaps[column][300:] *= 1.7
        gaps[column][500:] *= 0.4
    yield "gaps", gaps
    tiny = {name: values[:400] / 1e4 if name != "Volume" else values[:400] for name, values in usual.items()}
    yield "prices of a hundredth", tiny
    yield "steady rise", {name: 100 + np.arange(300.0) + shift for name, shift in
                          (("Open", 0), ("High", 1), ("Low", -1), ("Close", 0.5), ("Volume", 1000))}


def pairs(p):
    """Name, our values, the reference's."""
    o, h, l, c, v = (p[name] for name in ("Open", "High", "Low", "Close", "Volume"))
    typical = pd.Series((h + l + c) / 3)
    volume = pd.Series(v)
    for n in PERIODS:
        yield f"sma {n}", ours.sma(c, n), talib.SMA(c, n)
        yield f"ema {n}", ours.ema(c, n), talib.EMA(c, n)
        yield f"wma {n}", ours.wma(c, n), talib.WMA(c, n)
        yield f"rsi {n}", ours.rsi(c, n), talib.RSI(c, n)
        yield f"atr {n}", ours.atr(h, l, c, n), talib.ATR(h, l, c, n)
        yield f"plus_di {n}", ours.plus_di(h, l, c, n), talib.PLUS_DI(h, l, c, n)
        yield f"minus_di {n}", ours.minus_di(h, l, c, n), talib.MINUS_DI(h, l, c, n)
        yield f"adx {n}", ours.adx(h, l, c, n), talib.ADX(h, l, c, n)
        if n > 2:  # of two values only the sign is left, which rounding decides where they are equal
            yield f"cci {n}", ours.cci(h, l, c, n), talib.CCI(h, l, c, n)
        yield f"roc {n}", ours.roc(c, n), talib.ROC(c, n)
        yield f"momentum {n}", ours.momentum(c, n), talib.MOM(c, n)
        yield f"high {n}", ours.previous_high(h, n)[1:], talib.MAX(h, n)[:-1]
        yield f"low {n}", ours.previous_low(l, n)[1:], talib.MIN(l, n)[:-1]
        yield f"volume average {n}", ours.sma(v, n), volume.rolling(n).mean().to_numpy()
        worth = (typical * volume).rolling(n).sum() / volume.rolling(n).sum()
        yield f"vwap {n}", ours.vwap(h, l, c, v, n), worth.to_numpy()
        for width in (1.0, 2.0, 2.5):
            upper, middle, lower = talib.BBANDS(c, n, width, width)
            yield f"bollinger upper {n} {width}", ours.bollinger_line(c, n, width), upper
            yield f"bollinger middle {n} {width}", ours.bollinger_line(c, n, 0), middle
            yield f"bollinger lower {n} {width}", ours.bollinger_line(c, n, -width), lower
    yield "true_range", ours.true_range(h, l, c), talib.TRANGE(h, l, c)
    for fast, slow, signal in ((12, 26, 9), (5, 35, 5), (8, 17, 9), (3, 10, 16)):
        line, average, histogram = talib.MACD(c, fast, slow, signal)
        yield f"macd {fast}", ours.macd_line(c, fast, slow), line
        yield f"macd signal {fast}", ours.macd_signal_line(c, fast, slow, signal), average
        yield f"macd histogram {fast}", ours.macd_histogram(c, fast, slow, signal), histogram
    for period, smoothing, signal in ((14, 3, 3), (5, 3, 3), (14, 1, 3), (21, 5, 4)):
        k, d = talib.STOCH(h, l, c, period, smoothing, 0, signal, 0)
        yield f"stochastic k {period} {smoothing}", ours.stochastic_k(h, l, c, period, smoothing), k
        yield f"stochastic d {period} {smoothing}", ours.stochastic_d(h, l, c, period, smoothing, signal), d


def worst(own, reference):
    """Largest difference from the reference's first value on, in parts of the value's size."""
    if len(own) != len(reference):
        return np.inf
    known = ~np.isnan(reference)
    if not known.any():
        return 0.0
    own, reference = own[known], reference[known]
    if np.isnan(own).any():
        return np.inf
    return float(np.max(np.abs(own - reference) / np.maximum(np.abs(reference), 1)))


def main():
    count, largest, wrong = 0, 0.0, []
    for sample, columns in samples():
        for name, own, reference in pairs(columns):
            difference = worst(own, reference)
            count += 1
            largest = max(largest, difference)
            if not difference <= 1e-9:
                wrong.append(f"{sample}: {name}: {difference:.3g}")
    # What a bar shows may not depend on later bars.
    columns = usual_prices()
    whole = {name: own for name, own, _ in pairs(columns)}
    for cut in (90, 333, 700):
        for name, own, _ in pairs({key: values[:cut] for key, values in columns.items()}):
            count += 1
            if not np.allclose(own, whole[name][:len(own)], rtol=1e-12, atol=1e-12, equal_nan=True):
                wrong.append(f"{name} looks ahead of bar {cut}")
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(f"{count} comparisons, largest difference {largest:.2g}")


main()
