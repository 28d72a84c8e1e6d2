"""`python -m sweep [processes]`: trains what is missing of the sweep, one process a core; goes on where it stopped."""

from __future__ import annotations

import os
import subprocess
import sys


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else os.cpu_count() or 1
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    workers = [subprocess.Popen([sys.executable, "-m", "sweep.worker"], env=one_thread) for _ in range(count)]
    try:
        raise SystemExit(max(w.wait() for w in workers))
    except KeyboardInterrupt:
        for worker in workers:
            worker.terminate()
        print("Stopped. What is finished is kept; the same command goes on.")


if __name__ == "__main__":
    main()
