# control: breach
import importlib
import importlib.util


def load():
    sys.path.insert(0, OUTSIDE)
    return importlib.import_module("planted")


def by_path():
    spec = importlib.util.spec_from_file_location("planted", OUTSIDE + "/planted.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


attempt("path", load)
attempt("file", by_path)
attempt("library", lambda: ctypes.CDLL(OUTSIDE + "/planted.so") if os.path.isfile(OUTSIDE + "/planted.so") else 1 / 0)
