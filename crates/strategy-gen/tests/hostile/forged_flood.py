# expect: 1
# A result that is short to write and long to show.
CHANNEL = int(sys.argv[2])
result = (
    b'{"result":{"dataset":0,"orders":0,"rejected_orders":0,"indicators":[],"stats":{},"equity":[],"trades":[],"open":[],'
    b'"warnings":[' + b",".join([b'"w"'] * 100_000) + b"]}}\n"
)
text = b'{"loaded":{"name":"Quiet","parameters":{},"unknown":[]}}\n' + result + b'{"done":{}}\n'
while text:
    text = text[os.write(CHANNEL, text) :]
os._exit(0)
