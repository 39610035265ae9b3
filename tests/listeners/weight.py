"""Takes so many megabytes, and stays.

In: the number, a program that says hello for it, and perhaps the command line of a child that it starts first. Out: nothing.
"""

import signal
import subprocess
import sys

load = b"x" * (int(sys.argv[1]) << 20)
if sys.argv[3:]:
    child = subprocess.Popen(sys.argv[3:])
subprocess.run([sys.argv[2], "hello"], check=True)
signal.pause()
