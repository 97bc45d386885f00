# What the caller's caller left open is closed.
for descriptor in range(3, 256):
    try:
        text = os.pread(descriptor, 64, 0)
    except OSError:
        continue
    print("BREACH", descriptor, text, flush=True)
