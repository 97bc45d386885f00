# expect: 7
with open("huge", "wb") as file:
    for _ in range(100):
        file.write(bytes(1 << 20))
