# control: breach
def through(link):
    os.symlink(VICTIM, link)
    return read(link)


def hard(link):
    os.link(VICTIM, link)
    return read(link)


attempt("symlink", lambda: through("soft"))
attempt("hard link", lambda: hard("hard"))
attempt("steal", lambda: os.rename(VICTIM, "stolen"))
attempt("out", lambda: os.rename(write("mine"), OUTSIDE + "/mine"))
attempt("link out", lambda: os.link(write("mine"), OUTSIDE + "/mine"))
