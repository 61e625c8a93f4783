"""How much a script of the provider runtime costs over the interpreter's bare start.

Times attach of an attached volume of the loopback provider against
``python3 -I -S -c pass``, both started alike, in turns.
"""

from __future__ import annotations

import subprocess

from benchmarks.common import LoopbackPool, interleaved_medians_ms, report

ROUNDS = 200


def main() -> None:
    """Print both medians and their ratio."""
    with LoopbackPool() as pool:
        volume = pool.create_attached("start")
        medians = interleaved_medians_ms(
            {
                "bare": lambda: subprocess.run(
                    ["/usr/bin/python3", "-I", "-S", "-c", "pass"], check=True
                ),
                "attach": lambda: pool.call("attach", volume),
            },
            ROUNDS,
        )
    report(
        "attach of an attached volume / bare interpreter start",
        medians["attach"] / medians["bare"],
        limit=1.5,
        detail=f"{medians['attach']:.1f} ms / {medians['bare']:.1f} ms, median of {ROUNDS}",
    )


if __name__ == "__main__":
    main()
