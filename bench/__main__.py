"""`make bench [NAME=…]`: runs one benchmark or all, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NOT_BENCHMARKS = {"__init__", "__main__", "common", "platforms"}


def main() -> int:
    known = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NOT_BENCHMARKS)
    wanted = sys.argv[1:] or known
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(known)}.", file=sys.stderr)
        return 2
    codes = [subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], check=False).returncode for name in wanted]
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
