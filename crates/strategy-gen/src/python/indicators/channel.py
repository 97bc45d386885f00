def previous_high(highs, period):
    """Highest value of the bars before the current one."""
    return pd.Series(np.asarray(highs, dtype=float)).rolling(period).max().shift(1).to_numpy()


def previous_low(lows, period):
    """Lowest value of the bars before the current one."""
    return pd.Series(np.asarray(lows, dtype=float)).rolling(period).min().shift(1).to_numpy()
