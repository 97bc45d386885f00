# control: breach
libc = ctypes.CDLL(None, use_errno=True)


def refused(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


attempt("creat", lambda: refused(libc.creat((OUTSIDE + "/creat").encode(), 0o644)))
attempt("open", lambda: refused(libc.open(VICTIM.encode(), 0)))
attempt("fork", lambda: refused(libc.fork()) or os._exit(0))
attempt("socket", lambda: refused(libc.socket(2, 1, 0)))
attempt("kill", lambda: refused(libc.kill(PARENT, 0)))
