# only: x86_64
# The same calls under the numbers of the x32 interface: a list of what is denied would not know them.
X32 = 0x40000000
attempt("fork", lambda: syscall(X32 | 57) or os._exit(0))
attempt("socket", lambda: syscall(X32 | 41, 2, 1, 0))
attempt("open", lambda: syscall(X32 | 2, VICTIM.encode(), 0))
attempt("chmod", lambda: syscall(X32 | 90, VICTIM.encode(), 0o777))
attempt("ptrace", lambda: syscall(X32 | 521, 16, PARENT, 0, 0))
attempt("execve", lambda: syscall(X32 | 520, b"/bin/sh", 0, 0))
attempt("getpid", lambda: syscall(X32 | 39))
