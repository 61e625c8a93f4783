"""What the sh runtime costs: a script that uses it against one that sources nothing."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from extstorage.vendoring import vendor

LIMIT = 1.3
_RUNS = 1000
_BARE = "#!/bin/sh\nset -eu\ndo_attached() { :; }\ndo_attached\n"
_USES_IT = """#!/bin/sh
. "${0%/*}/lib/extstorage/extstorage.sh"
declare_parameters() {
    parameter EXTP_POOL text 'name of the pool' required
}
do_close() { :; }
main "$@"
"""
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "EXTP_POOL": "fast", "VOL_NAME": "v"}


def main() -> None:
    """Print the ratio of the fastest starts, which other load disturbs least, and its limit."""
    with tempfile.TemporaryDirectory() as name:
        bare, uses_it = Path(name, "bare"), Path(name, "close")
        for path, text in ((bare, _BARE), (uses_it, _USES_IT)):
            path.write_text(text)
            path.chmod(0o755)
        vendor(Path(name), "sh")
        times: dict[Path, list[float]] = {bare: [], uses_it: []}
        for _ in range(_RUNS):
            for path, taken in times.items():
                taken.append(_seconds(path))
    ratio = min(times[uses_it]) / min(times[bare])
    print(
        f"bare {min(times[bare]) * 1e6:.0f} us, with the runtime {min(times[uses_it]) * 1e6:.0f} us"
    )
    print(f"ratio {ratio:.2f}, limit {LIMIT}")


def _seconds(path: Path) -> float:
    begin = time.perf_counter()
    _, status = os.waitpid(os.posix_spawn(path, [str(path)], _ENVIRONMENT), 0)
    if status:
        raise SystemExit(f"{path} failed: {status}")
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
