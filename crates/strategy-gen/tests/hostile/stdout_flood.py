# expect: 7
while True:
    os.write(1, b"x" * 65536)
