# control: breach
def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)


attempt("fork", fork)
attempt("forkpty", lambda: os.forkpty()[0] or os._exit(0))
