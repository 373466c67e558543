"""The tiny process that waits for the disk, so that the gateway's loop does not: `python -I sync_helper.py FD…`.

Each argument is the number of an inherited socket, a *lane* with a thread of its own. A lane is sent one byte: `F` with
a descriptor attached makes that the file to sync, `S` asks for fdatasync. It answers `.` when the data is on the disk
and `!` with the error's number when it is not. It ends when its lanes close. It imports nothing of ours.
"""

import contextlib
import os
import signal
import socket
import sys
import threading


def serve(lane: socket.socket) -> None:
    """One lane: sync on request until the other side goes."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _serve(lane)


def _serve(lane: socket.socket) -> None:
    file = -1
    while True:
        message, descriptors, _, _ = socket.recv_fds(lane, 1, 1)
        if not message:
            return
        if message == b"F":
            if file >= 0:
                os.close(file)
            file = descriptors[0]
            continue
        try:
            os.fdatasync(file)
        except OSError as problem:
            lane.sendall(b"!%c" % (problem.errno or 5))
        else:
            lane.sendall(b".")


def main() -> None:
    """Serve every lane until all are closed. SIGINT and SIGTERM are for the parent: its going closes the lanes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threads = [threading.Thread(target=serve, args=(socket.socket(fileno=int(word)),)) for word in sys.argv[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
