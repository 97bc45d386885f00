def macd_line(values, fast, slow):
    """Fast less slow exponential average; both start on the same bar."""
    values = np.asarray(values, dtype=float)
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
