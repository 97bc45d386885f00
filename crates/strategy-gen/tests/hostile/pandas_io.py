# control: breach
import socket

import pandas as pd

# A listener that never answers must not hold up the rest.
socket.setdefaulttimeout(2)

frame = pd.DataFrame({"a": [1]})
attempt("url", lambda: pd.read_csv(f"http://127.0.0.1:{TCP}/x.csv"))
attempt("read", lambda: pd.read_csv(VICTIM))
attempt("table", lambda: pd.read_fwf(VICTIM))
attempt("pickle", lambda: frame.to_pickle(OUTSIDE + "/frame.pickle"))
attempt("csv", lambda: frame.to_csv(OUTSIDE + "/frame.csv"))
attempt("json", lambda: frame.to_json(OUTSIDE + "/frame.json"))
attempt("clipboard", lambda: pd.read_clipboard())
attempt("query", lambda: frame.query("@write(@OUTSIDE + '/query') == 1"))
