# control: breach
import pandas as pd

frame = pd.DataFrame({"a": [1]})
attempt("url", lambda: pd.read_csv(f"http://127.0.0.1:{TCP}/x.csv"))
attempt("read", lambda: pd.read_csv(VICTIM))
attempt("table", lambda: pd.read_fwf(VICTIM))
attempt("pickle", lambda: frame.to_pickle(OUTSIDE + "/frame.pickle"))
attempt("csv", lambda: frame.to_csv(OUTSIDE + "/frame.csv"))
attempt("json", lambda: frame.to_json(OUTSIDE + "/frame.json"))
attempt("clipboard", lambda: pd.read_clipboard())
attempt("eval", lambda: pd.eval("@os.system('touch ' + @OUTSIDE + '/eval') == 0 or 1 / 0", engine="python"))
