# only: x86_64
# What is left behind runs as whom it belongs to.
import stat

SET_ID = stat.S_ISUID | stat.S_ISGID


def made(name, mode):
    file = os.open(name, os.O_CREAT | os.O_RDWR, mode)
    assert os.fstat(file).st_mode & SET_ID, "the mode was not taken"
    return oct(os.fstat(file).st_mode)


def folder(name, mode):
    os.mkdir(name, mode)
    assert os.stat(name).st_mode & SET_ID, "the mode was not taken"
    return oct(os.stat(name).st_mode)


os.umask(0)
for bits in (0o6777, 0o4755, 0o2755):
    attempt("file", lambda: made(f"file{bits:o}", bits))
    attempt("folder", lambda: folder(f"folder{bits:o}", bits))
    attempt("openat", lambda: syscall(257, -100, f"raw{bits:o}".encode(), os.O_CREAT | os.O_RDWR, bits))
