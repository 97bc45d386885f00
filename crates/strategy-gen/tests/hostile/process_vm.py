# only: x86_64
buffer = ctypes.create_string_buffer(64)
vector = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 64)
attempt("readv", lambda: syscall(310, PARENT, vector, 1, vector, 1, 0))
attempt("writev", lambda: syscall(311, PARENT, vector, 1, vector, 1, 0))
attempt("kcmp", lambda: syscall(312, PARENT, os.getpid(), 0, 0, 0))
attempt("madvise", lambda: syscall(440, 0, vector, 1, 4, 0))
attempt("getfd", lambda: syscall(438, 3, 0, 0))
attempt("pidfd", lambda: syscall(434, PARENT, 0))
