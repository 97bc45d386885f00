# only: x86_64
attempt("limits of the parent", lambda: syscall(302, PARENT, 7, (ctypes.c_uint64 * 2)(4, 4), 0))
attempt("own limits", lambda: syscall(302, 0, 4, (ctypes.c_uint64 * 2)(0, 0), 0))
attempt("priority", lambda: syscall(141, 0, PARENT, 19))
attempt("affinity", lambda: syscall(203, PARENT, 8, (ctypes.c_uint64 * 1)(1)))
attempt("scheduler", lambda: syscall(144, PARENT, 5, (ctypes.c_int * 1)(0)))
