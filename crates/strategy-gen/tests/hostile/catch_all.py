# expect: 7
# Runs its loop in what the harness calls, and swallows everything.
class Endless(Quiet):
    def next(self):
        while True:
            try:
                self.data.Close[-1]
            except BaseException:
                continue


del Quiet
