# only: x86_64
for flag in (0x10000000, 0x20000, 0x40000000, 0x4000000, 0x2000000):
    attempt("unshare", lambda: syscall(272, flag))
attempt("open", lambda: os.open(f"/proc/{PARENT}/ns/mnt", os.O_RDONLY))
attempt("setns", lambda: syscall(308, 3, 0))
