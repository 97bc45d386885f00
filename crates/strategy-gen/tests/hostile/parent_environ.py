# control: breach
attempt("environ", lambda: read(f"/proc/{PARENT}/environ"))
attempt("cmdline", lambda: read(f"/proc/{PARENT}/cmdline"))
for process in (1, PARENT):
    attempt("all", lambda: read(f"/proc/{process}/environ"))
attempt("list", lambda: os.listdir("/proc"))
