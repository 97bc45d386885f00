"""What every attack starts with; `@...@` is filled in by the test. An attack that succeeds says so with `BREACH`."""

import ctypes
import os
import sys

from backtesting import Strategy

OUTSIDE = "@OUTSIDE@"
VICTIM = OUTSIDE + "/victim.txt"
MARK = "@MARK@"
TCP, UDP = @TCP@, @UDP@
PARENT = os.getppid()


class Quiet(Strategy):
    def init(self):
        pass

    def next(self):
        pass


def attempt(name, action):
    try:
        result = action()
    except BaseException as error:
        print("stopped", name, type(error).__name__, error, flush=True)
    else:
        print("BREACH", name, repr(result)[:200], flush=True)


def syscall(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    given = [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *given)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def write(path, text="BREACH"):
    with open(path, "w") as file:
        file.write(text)
    return path


def read(path):
    with open(path, "rb") as file:
        return file.read(4096)
