"""Supervisor's own client library and Python's, as scripts and listeners use them.

In: SUPERVISOR_SERVER_URL, as a program finds it in its environment, and HTTP_URL. Out: nothing, or an AssertionError.
A program called "one" runs, one called "off" does not. MENDED says that what 4.3.0 falls over is tried, too.
"""

import os
import xmlrpc.client

from supervisor import childutils
from supervisor.states import ProcessStates, SupervisorStates
from supervisor.xmlrpc import Faults, SupervisorTransport

MENDED = "MENDED" in os.environ


def fault(code, call, *arguments):
    try:
        call(*arguments)
    except xmlrpc.client.Fault as raised:
        assert raised.faultCode == code, raised
        return raised.faultString
    raise AssertionError("no fault")


def everything(server):
    rpc = server.supervisor
    assert rpc.getAPIVersion() == rpc.getVersion() == "3.0"
    assert rpc.getState() == {"statecode": SupervisorStates.RUNNING, "statename": "RUNNING"}
    assert rpc.getIdentification() == "supervisor"
    assert "supervisor.startProcess" in server.system.listMethods()
    assert server.system.methodSignature("supervisor.startProcess") == ["boolean", "string", "boolean"]
    one = rpc.getProcessInfo("one")
    assert one["state"] == ProcessStates.RUNNING and one["pid"] > 0, one
    os.kill(one["pid"], 0)
    assert one["now"] >= one["start"] > 0 and one["stop"] == 0, one
    assert rpc.getAllProcessInfo()[1]["name"] == "one"
    # Lines end as XML has them end, whoever wrote them.
    assert rpc.readProcessStdoutLog("one", 0, 7) == "h\u00e4\nl\n"
    assert rpc.readProcessStdoutLog("one", -7, 0) == " ]]>&<\n"
    assert rpc.tailProcessStdoutLog("one", 0, 7) == [" ]]>&<\n", 19, True]
    if MENDED:
        assert rpc.readProcessStdoutLog("one", 0, 0) == "h\u00e4\nl\nl\ufffd[1m ]]>&<\n"
        assert rpc.readProcessStdoutLog("one", 2, 3) == "\ufffd\nl", "half a character, and a line end"
        assert rpc.tailProcessStdoutLog("one", 0, 1 << 30)[1:] == [19, False]
    assert fault(Faults.BAD_NAME, rpc.getProcessInfo, "nobody") == "BAD_NAME: nobody"
    fault(Faults.ALREADY_STARTED, rpc.startProcess, "one")
    fault(Faults.NOT_RUNNING, rpc.stopProcess, "off")
    # PHP's 1 for true, Go's int for a signal, and names as text.
    assert rpc.startProcess("off", 1) is True
    assert rpc.getProcessInfo("off:off")["statename"] == "RUNNING"
    assert rpc.signalProcess("off", 0) is True and rpc.signalProcess("off", "SIGCONT") is True
    assert rpc.stopProcess("off", True) is True
    assert rpc.startProcessGroup("off", False)[0]["description"] == "OK"
    assert rpc.stopProcess("off:*") == [{"name": "off", "group": "off", "status": Faults.SUCCESS, "description": "OK"}]
    calls = xmlrpc.client.MultiCall(server)
    calls.supervisor.getState()
    calls.supervisor.getPID()
    state, pid = calls().results
    assert state["statename"] == "RUNNING" and pid == int(os.environ["DAEMON_PID"])
    mixed = server.system.multicall([
        {"methodName": "supervisor.getPID", "params": []},
        {"methodName": "supervisor.getProcessInfo", "params": ["nobody"]},
        {"methodName": "system.multicall"},
    ])
    assert [call if isinstance(call, int) else call["faultCode"] for call in mixed] == [pid, 10, 2]
    assert rpc.reloadConfig() == [[[], [], []]]


everything(childutils.getRPCInterface(os.environ))
transport = SupervisorTransport(None, None, os.environ["SUPERVISOR_SERVER_URL"])
everything(xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport))
# Without a path Python posts to /RPC2 by itself.
for url in [os.environ["HTTP_URL"], os.environ["HTTP_URL"] + "/RPC2"]:
    everything(xmlrpc.client.ServerProxy(url))
    for encoding in ["iso-8859-1", "utf-16"] if MENDED else []:
        with xmlrpc.client.ServerProxy(url, encoding=encoding) as server:
            assert fault(Faults.BAD_NAME, server.supervisor.getProcessInfo, "\u00e9") == "BAD_NAME: \u00e9"
