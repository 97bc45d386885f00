# only: x86_64
attempt("session", lambda: syscall(250, 0, -3, 1))
attempt("add", lambda: syscall(248, b"user", b"breach", b"1", 1, -3))
attempt("request", lambda: syscall(249, b"user", b"breach", 0, -3))
attempt("join", lambda: syscall(250, 1, 0))
