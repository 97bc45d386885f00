"""Daily prices for tests: the same on every machine, with trends, ranges and changing volatility."""

import pandas as pd

BARS = 1500


class Dice:
    """A linear congruential generator with 64 bits: integers only, so the same everywhere."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 11) / 2**53

    def bell(self):
        """About normal, with a spread of 1."""
        return sum(self.uniform() for _ in range(12)) - 6


def prices(seed=20260131, bars=BARS):
    dice = Dice(seed)
    rows, close, anchor = [], 100.0, 100.0
    drift, pull, spread, left = 0.0, 0.0, 0.01, 0
    for _ in range(bars):
        if left == 0:
            left = 40 + int(dice.uniform() * 80)
            regime = int(dice.uniform() * 3)
            drift, pull = ((0.002, 0.0), (-0.0015, 0.0), (0.0, 0.08))[regime]
            spread, anchor = 0.006 + 0.014 * dice.uniform(), close
        left -= 1
        first = close * (1 + 0.3 * spread * dice.bell())
        last = first * (1 + drift + pull * (anchor / first - 1) + spread * dice.bell())
        high = max(first, last) * (1 + 0.5 * spread * dice.uniform())
        low = min(first, last) * (1 - 0.5 * spread * dice.uniform())
        volume = int(1e6 * (0.5 + dice.uniform()) * (1 + 30 * abs(last / first - 1)))
        close = last
        rows.append((round(first, 4), round(high, 4), round(low, 4), round(last, 4), volume))
    index = pd.date_range("2019-01-01", periods=bars, freq="B", name="Date")
    frame = pd.DataFrame(rows, columns=["Open", "High", "Low", "Close", "Volume"], index=index).astype(float)
    # Rounding must not put a price outside its bar.
    frame["High"] = frame[["Open", "High", "Close"]].max(axis=1)
    frame["Low"] = frame[["Open", "Low", "Close"]].min(axis=1)
    return frame
