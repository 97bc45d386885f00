# expect: 1
# More trades than anybody wants to look at, each too small to matter.
import json

import numpy as np

CHANNEL, FOLDER = int(sys.argv[2]), sys.argv[1]
with open(os.path.join(FOLDER, "job.json")) as file:
    SPEC = json.load(file)["data"][0]
CLOSE = np.fromfile(os.path.join(FOLDER, SPEC["file"])).reshape(6, -1)[4]
BARS, CASH, COMMISSION = len(CLOSE), SPEC["cash"], SPEC["commission"]


def trade(size, entry, exit):
    bought, sold = float(CLOSE[entry]), float(CLOSE[exit])
    pnl = size * (sold - bought) - size * (sold + bought) * COMMISSION
    return {
        "size": size, "entry_bar": entry, "exit_bar": exit, "entry_price": bought, "exit_price": sold, "sl": None,
        "tp": None, "pnl": pnl, "commission": 0, "return_pct": None, "tag": None,
    }


def account(trades):
    equity, cash = [], CASH
    for bar in range(BARS):
        for t in trades:
            if t["entry_bar"] == bar:
                cash -= t["size"] * t["entry_price"] * COMMISSION
            if t["exit_bar"] == bar:
                cash += t["size"] * (t["exit_price"] - t["entry_price"]) - t["size"] * t["exit_price"] * COMMISSION
        held = [t for t in trades if t["entry_bar"] <= bar < t["exit_bar"]]
        equity.append(float(cash + sum(t["size"] * (CLOSE[bar] - t["entry_price"]) for t in held)))
    return equity


def tell(trades, equity, reported):
    fall = -100 * float(max(1 - now / peak for now, peak in zip(equity, np.maximum.accumulate(equity))))
    stats = {
        "Return [%]": 100 * (equity[-1] / CASH - 1), "# Trades": len(trades), "Max. Drawdown [%]": fall,
        "Win Rate [%]": 100 * sum(t["pnl"] > 0 for t in trades) / len(trades),
    }
    result = {
        "dataset": 0, "stats": stats, "trades": trades, "open": [], "equity": reported, "indicators": [],
        "orders": len(trades), "rejected_orders": 0, "warnings": [],
    }
    lines = [
        {"loaded": {"name": "Quiet", "parameters": {}, "unknown": []}}, {"result": result},
        {"look_ahead": {"dataset": 0, "cuts": 12, "differences": []}}, {"done": {}},
    ]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode()
    while text:
        text = text[os.write(CHANNEL, text) :]
    os._exit(0)


trades = [trade(1e-9, bar % (BARS - 1), bar % (BARS - 1) + 1) for bar in range(17_000)]
tell(trades, [float(CASH)] * BARS, [float(CASH)] * BARS)
