# expect: 0 1 7
# A file without a name is held by a mapping alone, where nobody counts it.
import mmap

held = 0
maps = []
try:
    for i in range(40):
        file = os.open(f"f{i}", os.O_RDWR | os.O_CREAT, 0o600)
        os.unlink(f"f{i}")
        for _ in range(15):
            held += os.write(file, bytes(1 << 20))
        maps.append(mmap.mmap(file, 4096))
        os.close(file)
except OSError as error:
    print("stopped unlinked", type(error).__name__, error, flush=True)
if held > 70 << 20:
    print("BREACH unlinked files of", held >> 20, "MiB", flush=True)
