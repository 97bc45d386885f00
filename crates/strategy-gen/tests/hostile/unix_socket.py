# control: breach
import socket


def connect(address):
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
    return client


attempt("path", lambda: connect(OUTSIDE + "/socket"))
attempt("abstract", lambda: connect("\0" + MARK))
attempt("pair", lambda: socket.socketpair())
