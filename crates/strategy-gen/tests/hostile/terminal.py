import fcntl

attempt("tty", lambda: open("/dev/tty", "w"))
for descriptor in (0, 1, 2):
    attempt("push", lambda: fcntl.ioctl(descriptor, 0x5412, b"x"))
    attempt("control", lambda: fcntl.ioctl(descriptor, 0x540E, 1))
    attempt("linux", lambda: fcntl.ioctl(descriptor, 0x541C, b"\x03"))
attempt("input", lambda: os.read(0, 1) or 1 / 0)
attempt("pty", lambda: os.openpty())
