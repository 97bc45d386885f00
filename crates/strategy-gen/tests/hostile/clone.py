# only: x86_64
SIGCHLD = 17


def child(number, *arguments):
    made = syscall(number, *arguments)
    if made == 0:
        write(OUTSIDE + "/child")
        os._exit(0)
    return made


attempt("clone", lambda: child(56, SIGCHLD, 0, 0, 0, 0))
attempt("clone parent", lambda: child(56, 0x8000 | SIGCHLD, 0, 0, 0, 0))
attempt("clone user", lambda: child(56, 0x10000000 | SIGCHLD, 0, 0, 0, 0))
attempt("fork", lambda: child(57))
attempt("clone3", lambda: child(435, (ctypes.c_uint64 * 11)(0, 0, 0, 0, SIGCHLD), 88))
attempt("high half", lambda: child(56, (1 << 40) | SIGCHLD, 0, 0, 0, 0))
