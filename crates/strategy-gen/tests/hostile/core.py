# A dump of this process would hold prices and code, and one of its parent the keys.
import resource

assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0), "BREACH: a core can be dumped"
attempt("raise", lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20)))
