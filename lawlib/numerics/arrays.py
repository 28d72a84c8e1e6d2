"""The type of every array in the library: `Array` is numpy's ndarray, of floats unless its docstring says otherwise."""

import numpy as np

Array = np.ndarray
