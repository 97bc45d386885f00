def bollinger_line(values, period, deviations):
    """Mean plus so many population standard deviations (below the mean when negative)."""
    window = pd.Series(np.asarray(values, dtype=float)).rolling(period)
    return (window.mean() + deviations * window.std(ddof=0)).to_numpy()
