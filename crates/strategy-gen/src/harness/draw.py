"""Draws backtesting.py's own charts from numbers, in a process that never sees the strategy they came from.

Usage: python -I -B -X utf8 draw.py FOLDER CHANNEL

FOLDER holds job.json and the numbers; CHANNEL is the number of a descriptor. Each chart is described by Bokeh's own
document, which is JSON; the page around it, and with it every script that may run, is written by the reader.
"""

import json
import os
import sys
import types
import warnings

FOLDER, CHANNEL = sys.argv[1], int(sys.argv[2])
PART = 1 << 20


def tell(kind, **message):
    CHANNEL_FILE.write(json.dumps({kind: message}, allow_nan=False) + "\n")


def send(text, **what):
    """A long text in parts, so that no message is long."""
    for at in range(0, len(text), PART):
        tell("part", text=text[at : at + PART], **what)


def indicators(chart, rows, index):
    for one in chart["indicators"]:
        labels, colors = one["labels"], one["colors"]
        values = np.array([next(rows) for _ in labels])
        yield _Indicator(
            values,
            # The library shows a list of names as several, even where they are equal.
            name=labels[0] if len(set(labels)) == 1 else labels,
            overlay=one["overlay"],
            plot=one["plot"],
            scatter=one["scatter"],
            color=colors if all(colors) else None,
            index=index,
        )


def results(chart, data, equity, rows):
    """What `Backtest.run` returned, as far as a chart needs it."""
    trades = pd.DataFrame(chart["trades"])
    for when in ("Entry", "Exit"):
        bars = trades[f"{when}Bar"] = trades[f"{when}Bar"].astype("int64")
        trades[f"{when}Time"] = data.index[bars]
    trades["Duration"] = trades["ExitTime"] - trades["EntryTime"]
    strategy = types.SimpleNamespace(_indicators=list(indicators(chart, rows, data.index)))
    curve = pd.DataFrame({"Equity": equity}, index=data.index)
    stats = pd.Series({"_strategy": strategy, "_equity_curve": curve, "_trades": trades})
    whole = compute_stats(stats=stats, data=data)
    whole["_strategy"] = strategy
    return whole


def document(chart):
    table = np.fromfile(os.path.join(FOLDER, chart["file"]), dtype="<f8").reshape(-1, chart["bars"])
    index = pd.to_datetime(table[0].astype("int64"), unit="s")
    names = ["Open", "High", "Low", "Close", "Volume"]
    data = pd.DataFrame({name: row.copy() for name, row in zip(names, table[1:6])}, index=index)
    figures = Backtest(data, Nothing).plot(
        results=results(chart, data, table[6], iter(table[7:])), filename="chart.html", open_browser=False
    )
    return json.dumps(json_item(figures), allow_nan=False)


with open(os.path.join(FOLDER, "job.json"), encoding="utf-8") as file:
    JOB = json.load(file)
CHANNEL_FILE = os.fdopen(CHANNEL, "w", encoding="utf-8")
warnings.simplefilter("ignore")
try:
    import numpy as np
    import pandas as pd
    from backtesting import Backtest, Strategy, _plotting
    from backtesting._util import _Indicator
    from backtesting.lib import compute_stats
    from bokeh.embed import json_item
    from bokeh.resources import Resources

    class Nothing(Strategy):
        def init(self):
            pass

        def next(self):
            pass

    # Private names of the library's: one asks a page of its author's for a picture, the other writes a page of its own.
    for name in ("_add_popcon", "show"):
        if not hasattr(_plotting, name):
            raise AttributeError(f"this version of backtesting.py has no `_plotting.{name}`")
        setattr(_plotting, name, lambda *_, **__: None)
    send("\n".join(Resources(mode="inline", components=["bokeh"]).js_raw), chart=None)
except Exception as error:
    tell("failed", chart=None, why=f"{type(error).__name__}: {error}"[:300])
else:
    for number, chart in enumerate(JOB["charts"]):
        try:
            send(document(chart), chart=number)
        except Exception as error:
            tell("failed", chart=number, why=f"{type(error).__name__}: {error}"[:300])
CHANNEL_FILE.flush()
os._exit(0)
