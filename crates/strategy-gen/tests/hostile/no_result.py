# expect: 1
# All is loaded and all is done, and nothing has happened in between.
CHANNEL = int(sys.argv[2])
os.write(CHANNEL, b'{"loaded":{"name":"Quiet","parameters":{},"unknown":[]}}\n{"done":{}}\n')
os._exit(0)
