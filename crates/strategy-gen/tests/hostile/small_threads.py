# expect: 0 1 7
# Threads so small that memory is no limit: how many can one strategy take from the machine?
import threading
import time

threading.stack_size(32 << 10)
count = 0
try:
    for count in range(20_000):
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
except RuntimeError as error:
    print("stopped threads", type(error).__name__, error, flush=True)
if count > 2_000:
    print("BREACH", count, "threads", flush=True)
