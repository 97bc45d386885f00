"""Indicators for strategies: numpy arrays in, arrays of the same length out.

Each agrees with TA-Lib from TA-Lib's first value on, its seeding included. Bars without enough history are NaN, and
no bar looks at a later one.
"""

import numpy as np


def floats(values):
    """A plain array of floats, whatever kind of series was given."""
    return np.asarray(values, dtype=float)


def windows(values, period):
    """Every run of so many neighbouring values, one row each."""
    return np.lib.stride_tricks.sliding_window_view(values, period)


def rolling(values, period, function):
    """A function of the last values on each bar, NaN before there are enough."""
    values = floats(values)
    result = np.full(len(values), np.nan)
    if len(values) >= period:
        result[period - 1:] = function(windows(values, period))
    return result


def wilder(first, values, period):
    """Wilder's smoothing: each new value counts one part in `period`."""
    result = np.empty(len(values) + 1)
    result[0] = average = first
    for i, value in enumerate(values.tolist()):
        average = (average * (period - 1) + value) / period
        result[i + 1] = average
    return result


def sma(values, period):
    """Simple moving average."""
    return rolling(values, period, lambda rows: rows.mean(axis=1))


def ema(values, period):
    """Exponential moving average, seeded with the mean of the first values."""
    values = floats(values)
    result = np.full(len(values), np.nan)
    if len(values) < period:
        return result
    result[period - 1] = average = values[:period].mean()
    weight = 2 / (period + 1)
    for i, value in enumerate(values[period:].tolist(), period):
        average += weight * (value - average)
        result[i] = average
    return result


def wma(values, period):
    """Moving average with linear weights: the current bar counts most."""
    weights = np.arange(1, period + 1) / (period * (period + 1) / 2)
    return rolling(values, period, lambda rows: rows @ weights)


def rsi(values, period):
    """Wilder's relative strength index, 0 to 100; 0 as in TA-Lib where nothing has moved."""
    values = floats(values)
    result = np.full(len(values), np.nan)
    if len(values) <= period:
        return result
    change = np.diff(values)
    gains, losses = np.maximum(change, 0), np.maximum(-change, 0)
    gain = wilder(gains[:period].mean(), gains[period:], period)
    loss = wilder(losses[:period].mean(), losses[period:], period)
    moved = gain + loss
    some = moved > 0
    result[period:] = np.where(some, 100 * gain / np.where(some, moved, 1), 0)
    return result


def macd_line(values, fast, slow):
    """Fast less slow exponential average; both start on the same bar."""
    values = floats(values)
    late = max(slow - fast, 0)
    fast_line = np.full(len(values), np.nan)
    fast_line[late:] = ema(values[late:], fast)
    return fast_line - ema(values, slow)


def macd_signal_line(values, fast, slow, signal):
    """Exponential average of the MACD line."""
    line = macd_line(values, fast, slow)
    first = max(fast, slow) - 1
    result = np.full(len(line), np.nan)
    result[first:] = ema(line[first:], signal)
    return result


def macd_histogram(values, fast, slow, signal):
    """MACD line less its signal line."""
    return macd_line(values, fast, slow) - macd_signal_line(values, fast, slow, signal)


def bollinger_line(values, period, deviations):
    """Mean plus so many population standard deviations (below the mean when negative)."""
    return rolling(values, period, lambda rows: rows.mean(axis=1) + deviations * rows.std(axis=1))


def true_range(high, low, close):
    """Range of each bar, the gap from the bar before included; NaN on the first bar."""
    high, low, close = floats(high), floats(low), floats(close)
    result = np.full(len(close), np.nan)
    result[1:] = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
    return result


def atr(high, low, close, period):
    """Wilder's average true range."""
    ranges = true_range(high, low, close)
    result = np.full(len(ranges), np.nan)
    if len(ranges) > period:
        result[period:] = wilder(ranges[1:period + 1].mean(), ranges[period + 1:], period)
    return result


def stochastic_k(high, low, close, period, smoothing):
    """Stochastic %K: where the close lies in the range of the last bars, 0 to 100, smoothed."""
    top = rolling(high, period, lambda rows: rows.max(axis=1))
    bottom = rolling(low, period, lambda rows: rows.min(axis=1))
    size = top - bottom
    place = np.where(size == 0, 0, 100 * (floats(close) - bottom) / np.where(size == 0, 1, size))
    return sma(place, smoothing)


def stochastic_d(high, low, close, period, smoothing, signal):
    """Stochastic %D: simple average of %K."""
    return sma(stochastic_k(high, low, close, period, smoothing), signal)


def directional(high, low, close, period):
    """Wilder's directional movement, +DI and -DI."""
    high, low = floats(high), floats(low)
    ranges = true_range(high, low, close)
    plus, minus = np.full(len(high), np.nan), np.full(len(high), np.nan)
    if len(high) <= period:
        return plus, minus
    up, down = np.diff(high), -np.diff(low)
    sums = [0.0, 0.0, 0.0]
    moves = [np.where((up > down) & (up > 0), up, 0), np.where((down > up) & (down > 0), down, 0), ranges[1:]]
    for i, bar in enumerate(zip(*(move.tolist() for move in moves)), 1):
        if i < period:
            sums = [old + new for old, new in zip(sums, bar)]
            continue
        sums = [old - old / period + new for old, new in zip(sums, bar)]
        moved = sums[2] > 0
        plus[i] = 100 * sums[0] / sums[2] if moved else 0
        minus[i] = 100 * sums[1] / sums[2] if moved else 0
    return plus, minus


def plus_di(high, low, close, period):
    """Wilder's +DI: how much of the range goes up."""
    return directional(high, low, close, period)[0]


def minus_di(high, low, close, period):
    """Wilder's -DI: how much of the range goes down."""
    return directional(high, low, close, period)[1]


def adx(high, low, close, period):
    """Wilder's average directional index: strength of a trend, 0 to 100."""
    plus, minus = directional(high, low, close, period)
    result = np.full(len(plus), np.nan)
    first = 2 * period - 1
    if len(plus) <= first:
        return result
    index, total = None, 0.0
    for i in range(period, len(plus)):
        both = plus[i] + minus[i]
        some = both > 0
        strength = 100 * abs(plus[i] - minus[i]) / both if some else 0
        if i <= first:
            total += strength
            index = total / period
        elif some:
            index = (index * (period - 1) + strength) / period
        if i >= first:
            result[i] = index
    return result


def cci(high, low, close, period):
    """Commodity channel index: distance of the typical price from its average."""
    typical = (floats(high) + floats(low) + floats(close)) / 3

    def distance(rows):
        mean = rows.mean(axis=1)
        spread = np.abs(rows - mean[:, None]).mean(axis=1)
        # The mean of equal values may be off by a rounding.
        flat = rows.max(axis=1) == rows.min(axis=1)
        return np.where(flat, 0, (rows[:, -1] - mean) / (0.015 * np.where(flat, 1, spread)))

    return rolling(typical, period, distance)


def roc(values, period):
    """Rate of change: per cent gained since so many bars ago."""
    values = floats(values)
    result = np.full(len(values), np.nan)
    before = values[:-period]
    some = before != 0
    result[period:] = np.where(some, (values[period:] / np.where(some, before, 1) - 1) * 100, 0)
    return result


def momentum(values, period):
    """Value less that of so many bars ago."""
    values = floats(values)
    result = np.full(len(values), np.nan)
    result[period:] = values[period:] - values[:-period]
    return result


def previous_high(highs, period):
    """Highest value of the bars before the current one."""
    result = rolling(highs, period, lambda rows: rows.max(axis=1))
    return np.concatenate(([np.nan], result[:-1]))


def previous_low(lows, period):
    """Lowest value of the bars before the current one."""
    result = rolling(lows, period, lambda rows: rows.min(axis=1))
    return np.concatenate(([np.nan], result[:-1]))


def vwap(high, low, close, volume, period):
    """Typical price of the last bars, weighted by volume; NaN where nothing was traded."""
    volume = floats(volume)
    typical = (floats(high) + floats(low) + floats(close)) / 3
    worth = rolling(typical * volume, period, lambda rows: rows.sum(axis=1))
    traded = rolling(volume, period, lambda rows: rows.sum(axis=1))
    return np.where(traded > 0, worth / np.where(traded > 0, traded, 1), np.nan)


def crosses_above(line, level):
    """True on the bar on which the line comes to stand above the level, a line or a number."""
    before, now = (level, level) if np.isscalar(level) else (level[-2], level[-1])
    return line[-2] <= before and line[-1] > now


def crosses_below(line, level):
    """True on the bar on which the line comes to stand below the level, a line or a number."""
    before, now = (level, level) if np.isscalar(level) else (level[-2], level[-1])
    return line[-2] >= before and line[-1] < now
