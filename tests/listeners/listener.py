"""A listener that reads bytes, without any library. Out: type and payload of each event, in hexadecimal, in the file that it is given."""

import sys

heard = open(sys.argv[1], "w", buffering=1)
while True:
    sys.stdout.buffer.write(b"READY\n")
    sys.stdout.buffer.flush()
    header = dict(word.split(b":") for word in sys.stdin.buffer.readline().split())
    payload = sys.stdin.buffer.read(int(header[b"len"]))
    heard.write("%s %s\n" % (header[b"eventname"].decode(), payload.hex()))
    sys.stdout.buffer.write(b"RESULT 2\nOK")
    sys.stdout.buffer.flush()
