"""An event listener that agrees with everything and writes it down.

In: Supervisor's protocol on standard input, and a file name. Out: a line an event in that file, `event NAME PAYLOAD`,
with line feeds and backslashes written as Python would.
"""

import sys


def main():
    with open(sys.argv[1], "a", encoding="utf-8") as file:
        while True:
            sys.stdout.write("READY\n")
            sys.stdout.flush()
            header = sys.stdin.readline()
            if not header:
                return
            words = dict(word.split(":", 1) for word in header.split())
            payload = sys.stdin.read(int(words["len"]))
            payload = payload.replace("\\", "\\\\").replace("\n", "\\n")
            file.write(("event %s %s" % (words["eventname"], payload)).rstrip(" ") + "\n")
            file.flush()
            sys.stdout.write("RESULT 2\nOK")


main()
