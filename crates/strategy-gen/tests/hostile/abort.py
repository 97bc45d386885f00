# expect: 1
os.abort()
