def crosses_below(line, level):
    """True on the bar on which the line comes to stand below the level, a line or a number."""
    before, now = (level, level) if np.isscalar(level) else (level[-2], level[-1])
    return line[-2] >= before and line[-1] < now
