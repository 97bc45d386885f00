# expect: 0 7
import time

deadline = time.monotonic() + 2
made = 0
while time.monotonic() < deadline:
    try:
        os.fork()
        made += 1
    except OSError:
        pass
if made:
    print("BREACH forked", made, flush=True)
