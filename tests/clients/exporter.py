"""What programs in typed languages assert of the XML itself: Prometheus' node_exporter, Telegraf, Datadog.

In: the URL of a daemon in HTTP_URL. Out: nothing, or an AssertionError. Python's own client would forgive too much,
so the elements are looked at one by one.
"""

import os
import urllib.request
import xml.etree.ElementTree as tree

# The exporter asserts these without looking, and ends with a panic if one is anything else.
EXPORTER = {
    "name": "string", "group": "string", "start": "int", "stop": "int", "now": "int", "state": "int",
    "statename": "string", "exitstatus": "int", "pid": "int",
}
OTHERS = {
    "description": "string", "spawnerr": "string", "logfile": "string", "stdout_logfile": "string",
    "stderr_logfile": "string",
}
STATES = {0: "STOPPED", 10: "STARTING", 20: "RUNNING", 30: "BACKOFF", 40: "STOPPING", 100: "EXITED", 200: "FATAL", 1000: "UNKNOWN"}
PLAIN = {"int", "boolean", "string", "array", "struct"}


def call(method):
    body = f"<?xml version='1.0'?><methodCall><methodName>{method}</methodName></methodCall>".encode()
    request = urllib.request.Request(os.environ["HTTP_URL"] + "/RPC2", body)
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Content-Type"] == "text/xml"
        return tree.fromstring(answer.read())


def members(struct):
    return {member.find("name").text: member.find("value")[0] for member in struct.findall("member")}


processes = [members(struct) for struct in call("supervisor.getAllProcessInfo").iter("struct")]
assert len(processes) > 1
for process in processes:
    assert {name: value.tag for name, value in process.items()} == EXPORTER | OTHERS, process
    assert STATES[int(process["state"].text)] == process["statename"].text
    assert -(1 << 31) <= int(process["exitstatus"].text) < 1 << 15
for method in ["getAllProcessInfo", "getAllConfigInfo", "getState", "reloadConfig"]:
    for value in call("supervisor." + method).iter("value"):
        assert len(value) == 1 and value[0].tag in PLAIN, tree.tostring(value)
        if value[0].tag == "int":
            assert -(1 << 31) <= int(value[0].text) < 1 << 31
