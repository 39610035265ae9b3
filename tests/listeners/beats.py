"""Tells listeners something through its own output, as childutils does it, between ordinary lines; and stays.

With Python 3 childutils can only do so to a stream of bytes.
"""

import signal
import sys

from supervisor.childutils import ProcessCommunicationsProtocol, pcomm

for send, stream, beat in [
    (pcomm.send, sys.stdout.buffer, "beat \u00e9"),
    (ProcessCommunicationsProtocol().send, sys.stderr.buffer, "beat \u00fc"),
]:
    stream.write(b"before\n")
    send(beat.encode(), stream)
    stream.write(b"behind, and long enough to be no beginning of a token\n")
    stream.flush()
signal.pause()
