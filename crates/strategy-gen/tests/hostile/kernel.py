# only: x86_64
import socket

attempt("bpf", lambda: syscall(321, 0, ctypes.create_string_buffer(128), 128))
attempt("perf", lambda: syscall(298, ctypes.create_string_buffer(128), 0, -1, -1, 0))
attempt("module", lambda: syscall(175, ctypes.create_string_buffer(8), 8, b""))
attempt("kexec", lambda: syscall(246, 0, 0, 0, 0))
attempt("hostname", lambda: socket.sethostname(os.uname().nodename))
attempt("iopl", lambda: syscall(172, 3))
attempt("personality", lambda: syscall(135, 0x0040000))
attempt("syslog", lambda: syscall(103, 3, ctypes.create_string_buffer(64), 64))
attempt("swapon", lambda: syscall(167, b"/nowhere", 0))
attempt("acct", lambda: syscall(163, 0))
attempt("setuid", lambda: os.setuid(0))
attempt("setgroups", lambda: os.setgroups([0]))
attempt("capset", lambda: syscall(126, ctypes.create_string_buffer(8), ctypes.create_string_buffer(24)))
