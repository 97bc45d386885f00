# expect: 7
while True:
    sys.stderr.write("y" * 65536)
    sys.stdout.write("x" * 65536)
