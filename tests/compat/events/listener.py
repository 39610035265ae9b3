"""A listener as most are: it uses Supervisor's own childutils, and writes down what they make of what it is told.

In: the protocol on standard input; how many events to reject first. Out: NAME.told in the directory it is started in, in the
format of provost-listener; with the data behind the first line of a payload in a line of its own.
"""

import os
import sys

from supervisor import childutils


def shown(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def main():
    rejected = int(sys.argv[1])
    with open(os.environ["SUPERVISOR_PROCESS_NAME"] + ".told", "a", encoding="utf-8", buffering=1) as file:
        file.write("begins\n")
        while True:
            headers, payload = childutils.listener.wait(sys.stdin, sys.stdout)
            header = " ".join("%s:%s" % pair for pair in headers.items())
            file.write("told\t%s\t%s\t\n" % (header, shown(payload)))
            if headers["eventname"].startswith("PROCESS_LOG"):
                words, data = childutils.eventdata(payload)
                file.write("noted %s %s %s\n" % (words["groupname"], words["channel"], shown(data)))
            if rejected > 0:
                rejected -= 1
                childutils.listener.fail(sys.stdout)
            else:
                childutils.listener.ok(sys.stdout)


main()
