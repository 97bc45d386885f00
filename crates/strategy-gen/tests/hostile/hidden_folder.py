# expect: 7
# A folder that cannot be listed is no empty folder.
import time

os.mkdir("hidden", 0o300)
for i in range(900):
    with open(f"hidden/{i}", "wb") as file:
        file.write(bytes(1 << 20))
time.sleep(60)
