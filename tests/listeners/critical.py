"""Ends a daemon when a critical program has failed, by signal and without any library.

In: the daemon's pid, names of programs, events on stdin. Out: SIGQUIT, once; the answer comes first.
"""

import os
import signal
import sys

daemon, critical = int(sys.argv[1]), sys.argv[2:]
while True:
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    header = dict(word.split(":") for word in sys.stdin.readline().split())
    payload = dict(word.split(":") for word in sys.stdin.read(int(header["len"])).split())
    sys.stdout.write("RESULT 2\nOK")
    sys.stdout.flush()
    if payload["processname"] in critical:
        os.kill(daemon, signal.SIGQUIT)
