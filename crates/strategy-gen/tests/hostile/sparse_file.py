# expect: 7
with open("huge", "wb") as file:
    file.truncate(1 << 40)
