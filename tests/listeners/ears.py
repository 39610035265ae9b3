"""A listener made of Supervisor's childutils, which reads letters.

In: events on stdin, and SUPERVISOR_SERVER_URL. Out: what it has understood, a line each, in the file that it is given. First it asks for
itself through XML-RPC and brings an event about; that one it rejects the first time.
"""

import os
import sys

from supervisor import childutils
from supervisor.childutils import EventListenerProtocol, listener

heard = open(sys.argv[1], "w", encoding="utf-8", buffering=1)
server = childutils.getRPCInterface(os.environ)
me = server.supervisor.getProcessInfo("%(SUPERVISOR_GROUP_NAME)s:%(SUPERVISOR_PROCESS_NAME)s" % os.environ)
assert me["pid"] in (os.getpid(), os.getppid()), me
assert server.supervisor.sendRemoteCommEvent("mine", "for ears \u00e9") is True

rejected = set()
protocol = EventListenerProtocol()
while True:
    headers, payload = protocol.wait(sys.stdin, sys.stdout)
    assert headers["ver"] == "3.0" and headers["server"] == "supervisor" and headers["pool"] == "ears", headers
    heard.write("%s %r\n" % (headers["eventname"], payload))
    if headers["eventname"] == "REMOTE_COMMUNICATION" and headers["serial"] not in rejected:
        rejected.add(headers["serial"])
        protocol.fail(sys.stdout)
    elif "\n" in payload:
        fields, _ = childutils.eventdata(payload)
        assert set(fields) <= {"processname", "groupname", "pid", "channel", "type"}, fields
        listener.ok()
    else:
        listener.send("OK", sys.stdout)
