def macd_histogram(values, fast, slow, signal):
    """MACD line less its signal line."""
    return macd_line(values, fast, slow) - macd_signal_line(values, fast, slow, signal)
