def sma(values, period):
    """Simple moving average."""
    return pd.Series(np.asarray(values, dtype=float)).rolling(period).mean().to_numpy()
