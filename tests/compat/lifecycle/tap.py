"""Starts Supervisor's own supervisord with one more subscriber, which writes down what is told and when.

In: supervisord's command line. Out: supervisord, unchanged but for that, and events.log in the directory it is started
in, a line an event, each like a line of its main log. A subscriber hears of an event the moment it happens, which an
event listener does not; listener.py and a test beside it hold the one against the other. Not here: ticks.
"""

import os
import sys
import time

from supervisor import events, supervisord

TOLD = (
    events.ProcessStateEvent,
    events.ProcessGroupEvent,
    events.SupervisorStateChangeEvent,
    events.ProcessLogEvent,
    events.ProcessCommunicationEvent,
)
FILE = os.path.abspath("events.log")


def tell(event):
    now = time.time()
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    name = events.getEventNameByType(event.__class__)
    payload = event.payload().replace("\\", "\\\\").replace("\n", "\\n")
    line = "%s,%03d TRAC event %s %s" % (when, now % 1 * 1000, name, payload)
    # Opened anew each time: a restart closes every descriptor that it does not know.
    with open(FILE, "a", encoding="utf-8") as file:
        file.write(line.rstrip(" ") + "\n")


def subscribe_again(clear=events.clear):
    # Each life of supervisord begins by forgetting who subscribed, before anything is told.
    clear()
    for kind in TOLD:
        events.subscribe(kind, tell)


events.clear = subscribe_again
sys.exit(supervisord.main())
