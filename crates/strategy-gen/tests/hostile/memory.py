# expect: 7
hoard = []
while True:
    hoard.append(bytearray(64 << 20))
