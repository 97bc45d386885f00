# expect: 1 7
# Nested deeper than a path can name, and than a recursion can follow.
for _ in range(17):
    os.mkdir("d" * 250)
    os.chdir("d" * 250)
for _ in range(200_000):
    os.mkdir("d")
    os.chdir("d")
print("BREACH nested", flush=True)
