# only: x86_64
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long


def ptrace(request):
    if libc.ptrace(ctypes.c_long(request), ctypes.c_long(PARENT), None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


attempt("attach", lambda: ptrace(16))
attempt("seize", lambda: ptrace(0x4206))
attempt("trace me", lambda: syscall(101, 0, 0, 0, 0))
