# only: x86_64
# control: breach
# Ways to empty a file that Landlock does not see before its third version, or never.
before = os.stat(VICTIM).st_size


def emptied(flags):
    os.close(os.open(VICTIM, flags))
    assert os.stat(VICTIM).st_size < before, "it is whole"
    return "emptied"


for name, flags in {
    "neither way": 3 | os.O_TRUNC,
    "to be read": os.O_RDONLY | os.O_TRUNC,
    "to be written": os.O_WRONLY | os.O_TRUNC,
    "both ways": os.O_RDWR | os.O_TRUNC,
    "made": os.O_RDONLY | os.O_CREAT | os.O_TRUNC,
}.items():
    attempt(name, lambda: emptied(flags))
attempt("open", lambda: syscall(2, VICTIM.encode(), 3 | os.O_TRUNC, 0))
attempt("creat", lambda: syscall(85, VICTIM.encode(), 0o600))
attempt("truncate", lambda: os.truncate(VICTIM, 0))
attempt("openat2", lambda: syscall(437, -100, VICTIM.encode(), ctypes.create_string_buffer(bytes([3, 2]) + bytes(22)), 24))
