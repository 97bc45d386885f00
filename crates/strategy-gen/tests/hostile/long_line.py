# expect: 7
# One line that takes a reader of any JSON a hundred times its length.
CHANNEL = int(sys.argv[2])
os.write(CHANNEL, b'{"loaded":{"name":"Quiet","unknown":[],"parameters":{"p":[')
for _ in range(62 * 16):
    part = b"1," * 32_768
    while part:
        part = part[os.write(CHANNEL, part) :]
os.write(CHANNEL, b'1]}}}\n{"done":{}}\n')
os._exit(0)
