# expect: 7
import time

for i in range(200):
    with open(f"{i}", "wb") as file:
        file.write(bytes(8 << 20))
time.sleep(60)
