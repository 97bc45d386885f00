# expect: 1
# Up the frames to the harness, and its own voice.
frame = sys._getframe()
while frame.f_back is not None:
    frame = frame.f_back
names = frame.f_globals
trade = {
    "size": 100, "entry_bar": 1, "exit_bar": 2, "entry_price": 1, "exit_price": 1e9, "sl": None, "tp": None,
    "pnl": 1e11, "commission": 0, "return_pct": 1e9, "tag": None,
}


def result(run):
    return {
        "stats": {"Return [%]": 1e8, "# Trades": 1, "Win Rate [%]": 100.0, "Max. Drawdown [%]": 0.0},
        "trades": [trade], "equity": [], "indicators": [], "orders": 1, "rejected_orders": 0, "warnings": [], "open": [],
    }


names["result"] = result
