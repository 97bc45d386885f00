# expect: 7
import time

os.mkdir("many")
for i in range(100_000):
    with open(f"many/{i}", "w") as file:
        file.write("x")
time.sleep(60)
