import pickle


class Bomb:
    def __reduce__(self):
        return os.system, ("touch " + OUTSIDE + "/pickle",)


class Reader:
    def __reduce__(self):
        return read, (VICTIM,)


def loads(bomb):
    result = pickle.loads(pickle.dumps(bomb))
    if result in (-1, 32512) or isinstance(result, int) and result != 0:
        raise OSError(result)
    return result


attempt("system", lambda: loads(Bomb()))
attempt("read", lambda: loads(Reader()))
