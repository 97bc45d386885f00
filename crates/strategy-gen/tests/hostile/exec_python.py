# Another Python in this one's place would have the channel to itself.
code = "print('BREACH, a fresh interpreter', flush=True)"
attempt("python", lambda: os.execv(sys.executable, ["python", "-c", code]))
attempt("real", lambda: os.execv(os.path.realpath(sys.executable), ["python", "-c", code]))
attempt("fexecve", lambda: os.execve(os.open(os.path.realpath(sys.executable), os.O_RDONLY), ["python", "-c", code], {}))
