# only: x86_64
attempt("inotify", lambda: syscall(294, 0))
attempt("fanotify", lambda: syscall(300, 0, 0))
attempt("quota", lambda: syscall(179, 0, 0, 0, 0))
