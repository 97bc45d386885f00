# The caller's environment holds a key; ours must not.
attempt("environ", lambda: os.environ["GEMINI_API_KEY"])
attempt("getenv", lambda: ctypes.string_at(ctypes.c_void_p(ctypes.CDLL(None).getenv(b"GEMINI_API_KEY") or 1 / 0)))
attempt("any", lambda: [v for v in os.environ.values() if "CANARY" in v][0])
