from multiprocessing import shared_memory

attempt("posix", lambda: shared_memory.SharedMemory(name=MARK, create=True, size=64))
attempt("system v", lambda: syscall(29, 0x5EC, 64, 0o1666))
attempt("semaphore", lambda: syscall(64, 0x5EC, 1, 0o1666))
attempt("queue", lambda: syscall(68, 0x5EC, 0o1666))
attempt("message queue", lambda: syscall(240, MARK.encode(), 0o102, 0o666, 0))
