# control: breach
import socket
import urllib.request

attempt("connect", lambda: socket.create_connection(("127.0.0.1", TCP), timeout=2))
attempt("socket", lambda: socket.socket())
attempt("six", lambda: socket.socket(socket.AF_INET6))
attempt("http", lambda: urllib.request.urlopen(f"http://127.0.0.1:{TCP}/", timeout=1))
attempt("listen", lambda: socket.create_server(("127.0.0.1", 0)))
attempt("name", lambda: socket.getaddrinfo("example.com", 80))
