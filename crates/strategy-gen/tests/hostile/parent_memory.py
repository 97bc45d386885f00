# control: breach
attempt("maps", lambda: read(f"/proc/{PARENT}/maps"))
attempt("mem", lambda: open(f"/proc/{PARENT}/mem", "r+b"))
attempt("fd", lambda: os.listdir(f"/proc/{PARENT}/fd"))
attempt("task", lambda: os.listdir(f"/proc/{PARENT}/task"))
attempt("root", lambda: read(f"/proc/{PARENT}/root{VICTIM}"))
attempt("own root", lambda: read(f"/proc/self/root{VICTIM}"))
attempt("own cwd", lambda: read(f"/proc/self/cwd/../../../../../../../..{VICTIM}"))
