# control: breach
import multiprocessing
from concurrent.futures import ProcessPoolExecutor


def pool():
    with ProcessPoolExecutor(1) as executor:
        return executor.submit(abs, -1).result(timeout=5)


attempt("context", lambda: multiprocessing.get_context("fork").Process(target=print).start())
attempt("pool", pool)
