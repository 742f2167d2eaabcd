"""The speed table: ``python benchmarks/bench.py [--rows 1,3] [--quick]``.

Everything is measured side by side in one run, and what has a target is told as a ratio. See
docs/performance.md.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, the parts of the benchmark are found from the root of the repository.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from benchmarks.table import main

    sys.exit(main())
