import shutil

FOLDER = sys.argv[1]
attempt("strategy", lambda: os.unlink(FOLDER + "/strategy.py"))
attempt("overwrite", lambda: write(FOLDER + "/strategy.py"))
attempt("harness", lambda: write(FOLDER + "/harness.py"))
attempt("prices", lambda: write(FOLDER + "/prices-0"))
attempt("plant", lambda: write(FOLDER + "/numpy.py"))
attempt("tree", lambda: shutil.rmtree(FOLDER))
attempt("original", lambda: os.unlink(OUTSIDE + "/strategy.py"))
attempt("library", lambda: write(os.path.dirname(os.__file__) + "/breach.py"))
