def rsi(values, period):
    """Wilder's relative strength index, seeded with the mean of the first changes."""
    values = np.asarray(values, dtype=float)
    result = np.full(len(values), np.nan)
    if len(values) <= period:
        return result
    change = np.diff(values)
    gains, losses = np.maximum(change, 0), np.maximum(-change, 0)
    gain, loss = gains[:period].mean(), losses[:period].mean()
    for i in range(period, len(values)):
        if i > period:
            gain = (gain * (period - 1) + gains[i - 1]) / period
            loss = (loss * (period - 1) + losses[i - 1]) / period
        # A price that does not move is neither overbought nor oversold.
        result[i] = 100 * gain / (gain + loss) if gain + loss > 0 else 50
    return result
