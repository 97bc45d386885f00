# expect: 7
while True:
    pass
