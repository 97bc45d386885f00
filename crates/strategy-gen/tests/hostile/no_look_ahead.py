# expect: 1
# A strategy that sees tomorrow lets the backtest through and swallows what is said of tomorrow.
frame = sys._getframe()
while frame.f_back is not None:
    frame = frame.f_back
real = frame.f_globals["tell"]
frame.f_globals["tell"] = lambda kind, **message: None if kind == "look_ahead" else real(kind, **message)
