# expect: 7
import numpy as np

print(np.ones((100_000, 100_000)).sum())
