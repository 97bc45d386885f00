# control: breach
import numpy as np

attempt("memmap", lambda: np.memmap(VICTIM, dtype="u1", mode="r+"))
attempt("new memmap", lambda: np.memmap(OUTSIDE + "/map", dtype="u1", mode="w+", shape=8))
attempt("load", lambda: np.fromfile(VICTIM, dtype="u1"))
attempt("text", lambda: np.genfromtxt(VICTIM, dtype=str))
attempt("save", lambda: np.save(OUTSIDE + "/array.npy", np.zeros(3)))
attempt("tofile", lambda: np.zeros(3).tofile(OUTSIDE + "/array.bin"))
