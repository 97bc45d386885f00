# only: x86_64
# Root in a sandbox is no root.
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
sets = (ctypes.c_uint32 * 6)()
attempt("capget", lambda: syscall(125, header, sets))
attempt("setuid", lambda: os.setuid(1))
attempt("capset", lambda: syscall(126, header, (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)))
attempt("chown", lambda: os.chown(".", 1, 1))
attempt("nice", lambda: os.nice(-5))
