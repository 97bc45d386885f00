import signal

attempt("parent", lambda: os.kill(PARENT, signal.SIGKILL))
attempt("stop", lambda: os.kill(PARENT, signal.SIGSTOP))
attempt("probe", lambda: os.kill(PARENT, 0))
attempt("init", lambda: os.kill(1, 0))
attempt("group", lambda: os.killpg(os.getpgid(PARENT), signal.SIGTERM))
attempt("queue", lambda: syscall(129, PARENT, 15, ctypes.create_string_buffer(128)))
attempt("thread", lambda: syscall(234, PARENT, PARENT, 15))
attempt("old thread", lambda: syscall(200, PARENT, 15))
attempt("pidfd", lambda: os.pidfd_open(PARENT))


def owner():
    import fcntl

    fcntl.fcntl(1, fcntl.F_SETOWN, PARENT)


attempt("owner", owner)
