# What a strategy leaves to be done at the end is not done, and could not be.
import atexit
import threading

atexit.register(lambda: write(OUTSIDE + "/atexit"))


def later():
    import time

    time.sleep(0.5)
    write(OUTSIDE + "/later")


threading.Thread(target=later).start()


class Last:
    def __del__(self):
        write(OUTSIDE + "/del")


LAST = Last()
