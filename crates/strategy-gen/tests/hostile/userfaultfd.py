# only: x86_64
attempt("userfaultfd", lambda: syscall(323, 0))
attempt("user mode", lambda: syscall(323, 1))
