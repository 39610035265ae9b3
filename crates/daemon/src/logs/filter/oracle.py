"""Sends output through the dispatcher of Supervisor 4.3.0 itself and prints what comes out.

In: a JSON list of [strip_ansi, capture_maxbytes, [chunk, ...]] on standard input, bytes as characters of the same
number. Out: for each [log, [[kind, data], ...]] where kind is plain or captured (PROCESS_LOG) or message
(PROCESS_COMMUNICATION). Everything but the pipe, the file and the process is real.
"""
import json
import sys

from supervisor import dispatchers, events, loggers


class Anything:
    """The few attributes that are asked for."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


def run(strip_ansi, capture, chunks):
    reads = [chunk.encode("latin-1") for chunk in chunks] + [b""]
    options = Anything(
        strip_ansi=strip_ansi,
        loglevel=loggers.LevelsByName.INFO,
        logger=loggers.getLogger(),
        getLogger=loggers.getLogger,
        readfd=lambda fd: reads.pop(0),
    )
    config = Anything(
        name="x",
        options=options,
        stdout_logfile=None,
        stdout_logfile_maxbytes=0,
        stdout_logfile_backups=0,
        stdout_syslog=False,
        stdout_capture_maxbytes=capture,
        stdout_events_enabled=True,
        stderr_events_enabled=False,
    )
    seen = []
    process = Anything(config=config, pid=1)
    dispatcher = dispatchers.POutputDispatcher(process, events.ProcessCommunicationStdoutEvent, 1)
    # In place of the file.
    dispatcher.normallog = dispatcher.childlog = loggers.getLogger()
    loggers.handle_boundIO(dispatcher.normallog, "%(message)s", 1 << 30)

    def notify(event):
        kind = "captured" if dispatcher.capturemode else "plain"
        if isinstance(event, events.ProcessCommunicationEvent):
            kind = "message"
        seen.append([kind, event.data.decode("latin-1")])

    dispatchers.notify = notify
    while not dispatcher.closed:
        dispatcher.handle_read_event()
    return [dispatcher.normallog.getvalue().decode("latin-1"), seen]


print(json.dumps([run(*case) for case in json.load(sys.stdin)]))
