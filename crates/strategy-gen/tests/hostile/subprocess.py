# control: breach
import subprocess

TOUCH = ["/usr/bin/touch", OUTSIDE + "/touched"]
attempt("run", lambda: subprocess.run(TOUCH, check=True))
attempt("shell", lambda: subprocess.check_output("id", shell=True))
attempt("python", lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
attempt("popen", lambda: os.popen("id").read() or 1 / 0)
attempt("posix_spawn", lambda: os.posix_spawn(TOUCH[0], TOUCH, {}))
attempt("spawnv", lambda: os.spawnv(os.P_WAIT, TOUCH[0], TOUCH) == 0 or 1 / 0)


def system():
    code = os.system("touch " + OUTSIDE + "/touched")
    if code != 0:
        raise OSError(code)


attempt("system", system)
