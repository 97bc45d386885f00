"""Runs one strategy on given prices and reports what came of it, one JSON object a line, on a pipe of its own.

Usage: python -I -B -X utf8 harness.py FOLDER CHANNEL

FOLDER holds job.json, the strategy, the text of `indicators` and the prices; CHANNEL is the number of a descriptor.
What the strategy prints goes elsewhere and is never read as a result. Strategy and harness share an interpreter, so
that nothing said here is trusted: the reader computes the headline figures again from the trades and its own prices.
"""

import json
import math
import os
import sys

FOLDER, CHANNEL = sys.argv[1], int(sys.argv[2])
STRATEGY = "strategy.py"
CUTS = 12
# The reader takes no more: see `message.rs` and `draw.rs`.
MOST_NAMES, MOST_LINES, MOST_DIFFERENCES, MOST_OPEN = 200, 500, 500, 1000
MOST_DRAWN, MOST_VALUES = 100, 1_000_000
LONGEST = 200


def tell(kind, **message):
    text = (json.dumps({kind: message}, allow_nan=False, separators=(",", ":")) + "\n").encode()
    while text:
        text = text[os.write(CHANNEL, text) :]


def close_the_door(program):
    """A second filter on top of the first: from here on no other program can be started in this one's place."""
    import ctypes

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    code = bytes.fromhex(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_ = Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    if libc.prctl(22, 2, ctypes.byref(filter_), 0, 0) != 0:
        tell("environment", message="cannot tighten the sandbox: " + os.strerror(ctypes.get_errno()))
        os._exit(70)


def number(value):
    """JSON knows neither NaN nor infinity."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def numbers(values):
    return [number(value) for value in values]


def scalar(value):
    if isinstance(value, pd.Timedelta):
        return value.total_seconds() / 86400
    if isinstance(value, pd.Timestamp):
        return str(value)
    return number(value)


def frames(traceback):
    """The lines of the strategy alone: what the library does in between helps nobody."""
    found = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename == STRATEGY:
            line = traceback.tb_lineno
            text = LINES[line - 1].strip() if 0 < line <= len(LINES) else ""
            found.append({"line": line, "function": code.co_name[:LONGEST], "code": text[:200]})
        traceback = traceback.tb_next
    return found[-20:]


def errors(error):
    """The error and its causes, from the outermost inwards."""
    chain, seen = [], set()
    while error is not None and id(error) not in seen and len(chain) < 8:
        seen.add(id(error))
        try:
            message = str(error)
        except Exception:
            message = ""
        entry = {"type": type(error).__name__[:LONGEST], "message": message[:2000], "frames": frames(error.__traceback__)}
        if isinstance(error, SyntaxError) and error.filename == STRATEGY and error.lineno:
            entry["frames"].append({"line": error.lineno, "function": "", "code": (error.text or "").strip()[:200]})
        if isinstance(error, OSError) and error.errno is not None:
            entry["errno"] = error.errno
        chain.append(entry)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain


def prices(folder, spec):
    columns = np.fromfile(os.path.join(folder, spec["file"]), dtype="<f8").reshape(6, -1)
    index = pd.to_datetime(columns[0].astype("int64"), unit="s")
    names = ["Open", "High", "Low", "Close", "Volume"]
    return pd.DataFrame({name: column.copy() for name, column in zip(names, columns[1:])}, index=index)


def load():
    module = types.ModuleType("strategy")
    module.__file__ = STRATEGY
    sys.modules["strategy"] = module
    exec(compile(SOURCE, STRATEGY, "exec", dont_inherit=True), module.__dict__)
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == "strategy"
    ]
    leaves = [one for one in found if not any(other is not one and issubclass(other, one) for other in found)]
    if len(leaves) != 1:
        raise TypeError(f"expected one class that derives from `Strategy`, found {len(leaves)}")
    return leaves[0]


def parameters(strategy):
    """The class attributes that `--set` can change: plain numbers, words and truths."""
    found = {}
    for base in reversed(strategy.__mro__):
        if base.__module__ == "strategy":
            for name, value in vars(base).items():
                if name.startswith("_") or len(name) > LONGEST or len(found) == MOST_NAMES:
                    continue
                if isinstance(value, (bool, float)) or isinstance(value, int) and abs(value) < 1 << 63:
                    found[name] = value if not isinstance(value, float) else number(value)
                elif isinstance(value, str):
                    found[name] = value[:LONGEST]
    return found


def watched(strategy, orders):
    """The strategy, each of its orders noted with the bar of the decision."""

    def note(self, side, keywords):
        given = {key: number(value) for key, value in keywords.items() if key != "tag" and value is not None}
        orders.append((len(self.data) - 1, side, tuple(sorted(given.items()))))

    class Watched(strategy):
        def buy(self, **keywords):
            note(self, 1, keywords)
            return super().buy(**keywords)

        def sell(self, **keywords):
            note(self, -1, keywords)
            return super().sell(**keywords)

    Watched.__name__, Watched.__qualname__ = strategy.__name__, strategy.__qualname__
    Watched.__module__ = strategy.__module__
    return Watched


class Run:
    """One backtest, on all bars or on the first of them."""

    def __init__(self, strategy, data, job, spec):
        # Two runs of one strategy must differ by their bars alone.
        random.seed(0)
        np.random.seed(0)
        self.orders = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            backtest = Backtest(
                data,
                watched(strategy, self.orders),
                cash=spec["cash"],
                commission=spec["commission"],
                spread=spec["spread"],
                finalize_trades=True,
            )
            self.stats = backtest.run(**job["set"])
        # What the library's own code will have to change one day is not the strategy's concern.
        ours = [w for w in caught if not issubclass(w.category, (DeprecationWarning, FutureWarning))]
        self.warnings = [str(warning.message) for warning in ours]
        self.trades = self.stats["_trades"]
        # A private name: without it there are no indicators to show or to compare.
        self.indicators = getattr(self.stats["_strategy"], "_indicators", [])

    def lines(self):
        for indicator in self.indicators:
            values = np.atleast_2d(np.asarray(indicator, dtype=float))
            for i, row in enumerate(values):
                yield str(indicator.name)[:LONGEST] + (f"[{i}]" if len(values) > 1 else ""), row

    def exits(self, before):
        """What was closed before a bar, for a price or at a loss of nerve."""
        rows = zip(self.trades["EntryBar"], self.trades["ExitBar"], self.trades["ExitPrice"], self.trades["Size"])
        return sorted((int(a), int(b), float(c), float(d)) for a, b, c, d in rows if b < before)


def same(one, other):
    return len(one) == len(other) and all(
        a == b or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-9))
        for x, y in zip(one, other)
        for a, b in zip(flat(x), flat(y))
    )


def flat(value):
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in flat(part)]
    return [value]


def cuts(run, bars):
    """Where to cut: at the bar of a decision, so that what it needs from later is missing; else evenly."""
    bars_of_orders = sorted({bar + 1 for bar, _, _ in run.orders if 10 < bar < bars - 2})
    step = max(1, len(bars_of_orders) / CUTS)
    chosen = {bars_of_orders[int(i * step)] for i in range(min(CUTS, len(bars_of_orders)))}
    for i in range(CUTS):
        if len(chosen) >= CUTS:
            break
        chosen.add(max(10, bars * (i + 1) // (CUTS + 1)))
    return sorted(cut for cut in chosen if cut < bars)


def look_ahead(strategy, data, job, spec, whole):
    """Runs on the first bars alone: a decision, an exit or an indicator that differs has seen later ones."""
    found, tried = [], cuts(whole, len(data))
    lines = dict(whole.lines())
    for cut in tried:
        try:
            part = Run(strategy, data.iloc[:cut], job, spec)
        except Exception as error:
            # Too few bars for an indicator is no sign of anything.
            found.append({"cut": cut, "what": "error", "detail": f"{type(error).__name__}: {error}"[:300]})
            continue
        if not same([o for o in whole.orders if o[0] < cut], part.orders):
            found.append({"cut": cut, "what": "orders", "detail": ""})
        elif not same(whole.exits(cut - 1), part.exits(cut - 1)):
            found.append({"cut": cut, "what": "exits", "detail": ""})
        for name, row in part.lines():
            full = lines.get(name)
            if full is None or len(full) < cut or len(row) != cut:
                continue
            scale = np.nanmax(np.abs(full[:cut]), initial=1e-12)
            if not np.allclose(full[:cut], row, rtol=1e-9, atol=1e-9 * scale, equal_nan=True):
                found.append({"cut": cut, "what": "indicator", "detail": name})
    return {"cuts": len(tried), "differences": found[:MOST_DIFFERENCES]}


def ranges(run):
    found = []
    for name, row in itertools.islice(run.lines(), MOST_LINES):
        valid = np.isfinite(row)
        known = row[valid]
        found.append(
            {
                "name": name,
                "min": number(known.min()) if len(known) else None,
                "max": number(known.max()) if len(known) else None,
                "first_bar": int(valid.argmax()) if len(known) else None,
            }
        )
    return found


def trades(run):
    table = run.trades
    columns = {
        "size": "Size",
        "entry_bar": "EntryBar",
        "exit_bar": "ExitBar",
        "entry_price": "EntryPrice",
        "exit_price": "ExitPrice",
        "sl": "SL",
        "tp": "TP",
        "pnl": "PnL",
        "commission": "Commission",
        "return_pct": "ReturnPct",
    }
    whole = {"entry_bar", "exit_bar"}
    rows = []
    for i in range(len(table)):
        row = {}
        for key, column in columns.items():
            value = table[column].iloc[i]
            row[key] = int(value) if key in whole else number(value)
        row["return_pct"] = None if row["return_pct"] is None else row["return_pct"] * 100
        tag = table["Tag"].iloc[i]
        row["tag"] = None if tag is None or tag != tag else str(tag)[:100]
        rows.append(row)
    return rows


def result(run):
    rejected = sum("Broker canceled" in warning for warning in run.warnings)
    others = [warning for warning in dict.fromkeys(run.warnings) if "Broker canceled" not in warning]
    return {
        "stats": {key: scalar(value) for key, value in run.stats.items() if not key.startswith("_")},
        "trades": trades(run),
        # An order of the last bar is filled while the rest is closed, and stays open.
        "open": [
            {"size": number(t.size), "entry_bar": int(t.entry_bar), "entry_price": number(t.entry_price)}
            for t in run.stats["_strategy"].trades[:MOST_OPEN]
        ],
        "equity": numbers(run.stats["_equity_curve"]["Equity"]),
        "indicators": ranges(run),
        "orders": len(run.orders),
        "rejected_orders": rejected,
        "warnings": [warning[:500] for warning in others[:20]],
    }


def for_chart(run, room):
    """Each line that the library's own chart shows; without its values where there is no room for them."""
    lines = 0
    for i, indicator in enumerate(run.indicators):
        options = getattr(indicator, "_opts", {})
        overlay, plot = bool(options.get("overlay")), bool(options.get("plot"))
        if not (overlay or plot):
            continue
        rows = np.atleast_2d(np.asarray(indicator, dtype=float))
        name, color = indicator.name, options.get("color")
        labels = [name] * len(rows) if isinstance(name, str) else list(name)
        colors = list(color) if isinstance(color, (list, tuple)) and color else [color]
        for j, (label, row) in enumerate(zip(labels, rows)):
            if lines == MOST_LINES:
                return
            lines += 1
            fits = lines <= MOST_DRAWN and len(row) <= room["values"]
            room["values"] -= len(row) if fits else 0
            color = colors[j % len(colors)]
            yield {
                "indicator": i,
                "label": str(label)[:100],
                "color": str(color)[:100] if color else None,
                "overlay": overlay,
                "plot": plot,
                "scatter": bool(options.get("scatter")),
                "values": numbers(row) if fits else None,
            }


# Whatever the caller's caller left open is none of the strategy's business.
os.closerange(3, CHANNEL)
os.closerange(CHANNEL + 1, 65536)
with open(os.path.join(FOLDER, "job.json"), encoding="utf-8") as file:
    JOB = json.load(file)
if JOB["filter"]:
    close_the_door(JOB["filter"])
try:
    import itertools
    import random
    import types
    import warnings

    import numpy as np
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import backtesting
        from backtesting import Backtest, Strategy

        # A progress bar would be the strategy's output, where one is installed.
        backtesting.backtesting._tqdm = lambda sequence, **_: sequence
    INDICATORS = types.ModuleType("indicators")
    with open(os.path.join(FOLDER, "indicators.py"), encoding="utf-8") as file:
        exec(compile(file.read(), "indicators.py", "exec"), INDICATORS.__dict__)
    sys.modules["indicators"] = INDICATORS
    with open(os.path.join(FOLDER, STRATEGY), encoding="utf-8") as file:
        SOURCE = file.read()
    LINES = SOURCE.splitlines()
    DATA = [prices(FOLDER, spec) for spec in JOB["data"]]
except BaseException as error:
    tell("environment", message=f"{type(error).__name__}: {error}")
    sys.exit(70)


def main():
    tell("started")
    try:
        strategy = load()
    except BaseException as error:
        tell("failed", stage="load", dataset=None, errors=errors(error))
        return
    known = parameters(strategy)
    unknown = [name for name in JOB["set"] if name not in known and not hasattr(strategy, name)]
    tell("loaded", name=strategy.__name__[:LONGEST], parameters=known, unknown=unknown[:MOST_NAMES])
    if unknown:
        return
    room = {"values": MOST_VALUES}
    for i, (spec, data) in enumerate(zip(JOB["data"], DATA)):
        try:
            run = Run(strategy, data, JOB, spec)
            tell("result", dataset=i, **result(run))
            if JOB["look_ahead"]:
                tell("look_ahead", dataset=i, **look_ahead(strategy, data, JOB, spec, run))
            if JOB["plot"]:
                for line in for_chart(run, room):
                    tell("line", dataset=i, **line)
        except BaseException as error:
            tell("failed", stage="run", dataset=i, errors=errors(error))
    tell("done")


main()
sys.stdout.flush()
# Whatever the strategy left to be done at the end is not.
os._exit(0)
