def ema(values, period):
    """Exponential moving average, seeded with the mean of the first values."""
    values = np.asarray(values, dtype=float)
    result = np.full(len(values), np.nan)
    if len(values) < period:
        return result
    result[period - 1] = values[:period].mean()
    weight = 2 / (period + 1)
    for i in range(period, len(values)):
        result[i] = result[i - 1] + weight * (values[i] - result[i - 1])
    return result
