# expect: 7
# The result's own pipe has a limit too.
while True:
    for descriptor in range(3, 16):
        try:
            os.write(descriptor, b"z" * 65536)
        except OSError:
            pass
