"""Timings. One BLAS thread: the matrices are small, and OpenBLAS's threads wait for each other when the machine is busy."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
