# expect: 7
# Without a pipe to read from, is anybody watching?
import time

for descriptor in range(0, 64):
    try:
        os.close(descriptor)
    except OSError:
        pass
time.sleep(1000)
