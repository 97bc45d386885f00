# only: x86_64
def run():
    made = os.memfd_create("program")
    os.write(made, read("/bin/true"))
    os.execve(made, ["true"], {})


attempt("memfd", lambda: os.memfd_create("program"))
attempt("run", run)
attempt("secret", lambda: syscall(447, 0))
attempt("execveat", lambda: syscall(322, -100, b"/bin/sh", 0, 0, 0))
