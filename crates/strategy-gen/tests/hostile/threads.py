# expect: 0 1 7
# Threads are allowed, but not without end.
import threading
import time

for _ in range(100_000):
    try:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    except RuntimeError:
        break
