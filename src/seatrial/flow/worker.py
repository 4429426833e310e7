"""The other end of the pipe: what an executor starts.

`python -m seatrial.flow.worker [bytes of memory]`. One order a line on standard input, one answer a line on a copy of standard
output that is taken before anything else is imported; what a runtime prints goes to the log. It dies with its parent.
What was printed before that (by a preloaded library) is ended by an empty line, so that it doesn't stick to the first answer.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Answer orders until `close`, or until the parent is gone."""
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    orders = os.fdopen(os.dup(0), "r", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    from seatrial.flow.isolation import settle_folder, settle_network

    settle_folder()
    network = settle_network()  # before threads are started: they would keep the network
    from seatrial.flow import bench

    answers.write("\n")
    bench.settle(memory=int(sys.argv[1]) if len(sys.argv) > 1 else None)
    at_work = bench.Bench(network)
    for line in orders:
        answer = at_work.answer(line)
        answers.write(answer + "\n")
        answers.flush()
        if at_work.closed:
            break
    os._exit(0)  # a runtime that hangs in its own shutdown doesn't keep us


if __name__ == "__main__":
    main()
