# A file that is opened neither to be read nor to be written can still be locked, measured and opened again.
import fcntl


def locked():
    fcntl.flock(os.open(VICTIM, 3), fcntl.LOCK_EX | fcntl.LOCK_NB)
    return "locked"


attempt("open", lambda: os.open(VICTIM, 3))
attempt("lock", locked)
attempt("device", lambda: os.open("/dev/tty", 3))
attempt("make", lambda: os.open(OUTSIDE + "/made", 3 | os.O_CREAT, 0o600))
attempt("unnamed", lambda: os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600))
attempt("unnamed outside", lambda: os.open(OUTSIDE, os.O_TMPFILE | os.O_RDWR, 0o600))
attempt("again", lambda: os.open(f"/proc/self/fd/{os.open(VICTIM, os.O_PATH)}", os.O_RDONLY))


# A file that may be read is others' to lock.
def held(lock):
    with open(os.__file__) as file:
        lock(file)
    return "locked"


attempt("flock", lambda: held(lambda file: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)))
attempt("lockf", lambda: held(lambda file: fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)))
