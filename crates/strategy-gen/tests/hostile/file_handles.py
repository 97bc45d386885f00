# only: x86_64
# A handle opens a file without its path.
handle = ctypes.create_string_buffer(136)
ctypes.memmove(handle, (128).to_bytes(4, "little"), 4)
attempt("name", lambda: syscall(303, -100, VICTIM.encode(), handle, (ctypes.c_int * 1)(), 0))
attempt("open", lambda: syscall(304, 3, handle, 0))
