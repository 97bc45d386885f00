# control: breach
attempt("read", lambda: read(VICTIM))
attempt("list", lambda: os.listdir(OUTSIDE))
attempt("scan", lambda: [entry.name for entry in os.scandir(OUTSIDE)])
attempt("relative", lambda: read("../" * 30 + VICTIM))
attempt("os.open", lambda: os.open(VICTIM, os.O_RDONLY))
attempt("path", lambda: os.open(VICTIM, os.O_PATH) and read(f"/proc/self/fd/{os.open(VICTIM, os.O_PATH)}"))
attempt("passwd", lambda: read("/etc/passwd"))
attempt("hosts", lambda: read("/etc/hosts"))
