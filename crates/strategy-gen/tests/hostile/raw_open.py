# only: x86_64
# control: breach
path = VICTIM.encode()
attempt("open", lambda: syscall(2, path, 0))
attempt("openat", lambda: syscall(257, -100, path, 0))
attempt("openat2", lambda: syscall(437, -100, path, (ctypes.c_uint64 * 3)(), 24))
attempt("creat", lambda: syscall(85, (OUTSIDE + "/raw").encode(), 0o644))
