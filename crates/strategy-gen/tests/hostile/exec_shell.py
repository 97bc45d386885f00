attempt("sh", lambda: os.execv("/bin/sh", ["sh", "-c", "echo BREACH; touch " + OUTSIDE + "/shell"]))
attempt("env", lambda: os.execvpe("touch", ["touch", OUTSIDE + "/env"], {"PATH": "/usr/bin:/bin"}))
attempt("loader", lambda: os.execv("/lib64/ld-linux-x86-64.so.2", ["ld", "/bin/touch", OUTSIDE + "/loader"]))
