# expect: 1
# The harness goes on speaking: two results for one backtest.
import json

stats = {"Return [%]": 0.0, "# Trades": 0, "Win Rate [%]": None, "Max. Drawdown [%]": 0.0}
result = {
    "dataset": 0, "orders": 0, "rejected_orders": 0, "indicators": [], "warnings": [],
    "stats": stats, "equity": [], "trades": [], "open": [],
}
line = {"result": result}
for descriptor in range(3, 64):
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
    except OSError:
        pass
