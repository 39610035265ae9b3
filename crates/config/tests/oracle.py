"""Reads configurations with Supervisor itself and prints what they mean.

Usage: oracle.py DIRECTORY NAME.conf ...   Each answer is a line `== NAME.conf`
and the lines that `common/mod.rs` prints for the same file. The machine that
Supervisor sees is the one that `MemoryFiles` describes there, except for the
files themselves.
"""
import grp
import os
import platform
import pwd
import sys
import warnings

warnings.simplefilter("ignore")

USERS = {"root": (0, "/root"), "me": (1000, "/home/me"), "web": (33, "/var/www")}
GROUPS = {"root": 0, "me": 1000, "web": 33, "adm": 4}


def account(name):
    number, home = USERS[name]
    return pwd.struct_passwd((name, "x", number, number, "", home, "/bin/sh"))


def by_number(number):
    return account({uid: name for name, (uid, _) in USERS.items()}[number])


def group_by_number(number):
    if number not in GROUPS.values():
        raise KeyError(number)


os.getuid = lambda: 1000
pwd.getpwnam = account
pwd.getpwuid = by_number
grp.getgrnam = lambda name: ("", "", GROUPS[name], [])
grp.getgrgid = group_by_number
platform.node = lambda: "testhost"

from supervisor import options as sv  # noqa: E402
from supervisor.datatypes import (  # noqa: E402
    Automatic,
    RestartUnconditionally,
    RestartWhenExitUnexpected,
)


def lenient():
    """What `supervisord --check` does not ask of the machine."""
    def uid(name):
        return int(name) if name.isdigit() else USERS.get(name, (None,))[0]

    def gid(name):
        return int(name) if name.isdigit() else GROUPS.get(name)

    from supervisor import datatypes
    for module in (sv, datatypes):
        module.name_to_uid = uid
        module.name_to_gid = gid
        module.gid_for_uid = lambda number: number if number in GROUPS.values() else None
        module.existing_dirpath = module.existing_directory = os.path.expanduser


class Refused(Exception):
    pass


class Options(sv.ServerOptions):
    def usage(self, message):
        raise Refused(str(message))

    def import_spec(self, spec):
        # A plug-in need not be installed to be named.
        if sv.re.match(r"[\w.]+\s*:\s*[\w.]+\s*$", spec) is None:
            raise ImportError(spec)
        return spec


class ClientOptions(sv.ClientOptions):
    usage = Options.usage
    import_spec = Options.import_spec


def shown(value):
    if value is None:
        return "none"
    if value is Automatic:
        return "AUTO"
    if value in (True, False) and isinstance(value, bool):
        return "yes" if value else "no"
    if value is RestartUnconditionally:
        return "always"
    if value is RestartWhenExitUnexpected:
        return "unexpected"
    if isinstance(value, dict):
        pairs = sorted((str(k), str(v)) for k, v in value.items())
        return "{" + ", ".join(f"{k}={v}" for k, v in pairs) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join("none" if item is None else str(item) for item in value) + "]"
    return str(value)


def emit(indent, name, value):
    text = shown(value).replace("\\", "\\\\").replace("\n", "\\n")
    print("  " * indent + name + " = " + text)


def print_supervisord(o):
    print("supervisord")
    for name in ("minfds", "minprocs", "directory"):
        emit(1, name, getattr(o, name))
    emit(1, "user", o.user)
    emit(1, "umask", oct(o.umask))
    emit(1, "logfile", o.logfile)
    for name in ("logfile_maxbytes", "logfile_backups"):
        emit(1, name, max(0, getattr(o, name)))
    from supervisor.loggers import getLevelNumByDescription
    for level in ("critical", "error", "warn", "info", "debug", "trace", "blather"):
        if getLevelNumByDescription(level) == o.loglevel:
            emit(1, "loglevel", level)
    for name in ("pidfile", "identifier", "childlogdir"):
        emit(1, name, getattr(o, name))
    for name in ("nodaemon", "silent", "nocleanup", "strip_ansi"):
        emit(1, name, bool(getattr(o, name)))
    emit(1, "environment", o.configroot.supervisord.environment)
    emit(1, "serverurl", o.serverurl)


def print_server(server):
    print("server " + server["section"])
    if "file" in server:
        emit(1, "file", server["file"])
        emit(1, "chmod", oct(server["chmod"]))
        emit(1, "chown", server["chown"])
    else:
        emit(1, "host", server["host"])
        emit(1, "port", server["port"])
    # An empty user name asks nobody for anything.
    emit(1, "username", server["username"] or None)
    emit(1, "password", server["password"] if server["username"] else None)


def print_group(group):
    kind = {
        "ProcessGroupConfig": "plain",
        "EventListenerPoolConfig": "eventlistener",
        "FastCGIGroupConfig": "fcgi",
    }[type(group).__name__]
    print(f"group {group.name}")
    emit(1, "kind", kind)
    emit(1, "priority", group.priority)
    if kind == "eventlistener":
        emit(1, "buffer_size", group.buffer_size)
        from supervisor.events import EventTypes
        names = {v: k for k, v in vars(EventTypes).items() if not k.startswith("_")}
        emit(1, "events", sorted(names[event] for event in group.pool_events))
        emit(1, "result_handler", group.result_handler)
    if kind == "fcgi":
        socket = group.socket_config
        emit(1, "socket", socket.url)
        emit(1, "backlog", socket.get_backlog())
        mode = getattr(socket, "mode", None)
        emit(1, "mode", None if mode is None else oct(mode))
        emit(1, "owner", getattr(socket, "owner", None))
    for process in group.process_configs:
        print_process(process)


def print_process(p):
    print(f"  process {p.name}")
    kind = {
        "ProcessConfig": "program",
        "EventListenerConfig": "eventlistener",
        "FastCGIProcessConfig": "fcgi",
    }[type(p).__name__]
    emit(2, "class", kind)
    for name in ("command", "directory", "priority", "autostart"):
        emit(2, name, getattr(p, name))
    emit(2, "autorestart", "never" if p.autorestart is False else p.autorestart)
    for name in ("startsecs", "startretries", "exitcodes", "stopsignal", "stopwaitsecs",
                 "stopasgroup", "killasgroup", "uid"):
        value = getattr(p, name)
        emit(2, name, int(value) if name == "stopsignal" else value)
    emit(2, "umask", None if p.umask is None else oct(p.umask))
    emit(2, "environment", p.environment)
    emit(2, "serverurl", p.serverurl or None)
    emit(2, "redirect_stderr", p.redirect_stderr)
    for channel in ("stdout", "stderr"):
        emit(2, channel + "_logfile", getattr(p, channel + "_logfile") or None)
        for name in ("maxbytes", "backups"):
            emit(2, f"{channel}_logfile_{name}", max(0, getattr(p, f"{channel}_logfile_{name}")))
        emit(2, channel + "_capture_maxbytes", max(0, getattr(p, channel + "_capture_maxbytes")))
        for name in ("events_enabled", "syslog"):
            emit(2, f"{channel}_{name}", getattr(p, f"{channel}_{name}"))


def print_supervisorctl(name):
    o = ClientOptions()
    try:
        o.realize(["-c", name], doc="")
    except Refused as refusal:
        print(f"supervisorctl refused: {refusal}")
        return
    print("supervisorctl")
    for key in ("serverurl", "username", "password", "prompt", "history_file"):
        emit(1, key, getattr(o, key))
    for name, factory, extras in o.plugin_factories:
        if name != "default":
            print("ctlplugin " + name)
            emit(1, "factory", factory)
            emit(1, "options", extras)


def answer(name):
    o = Options()
    try:
        o.realize(["-c", name], doc="", progname="supervisord")
    except Refused as refusal:
        print("refused")
        print(str(refusal))
        return
    print_supervisord(o)
    for server in o.server_configs:
        print_server(server)
    for plugin, factory, extras in o.rpcinterface_factories:
        print("rpcinterface " + plugin)
        emit(1, "factory", factory)
        emit(1, "options", extras)
    for group in o.process_group_configs:
        print_group(group)
    for kind in ("criticals", "warnings", "infos"):
        for message in getattr(o, "parse_" + kind):
            print(f"{kind}: {message}")
    print_supervisorctl(name)


def main():
    sys.stdout.reconfigure(encoding="utf-8")
    os.chdir(sys.argv[1])
    # Once lenient, lenient for good: the cases that need it come last.
    for name in sorted(sys.argv[2:], key=lambda name: (name.startswith("real-"), name)):
        if name.startswith("real-"):
            lenient()
        print("== " + name)
        try:
            answer(name)
        except Exception as crash:  # noqa: BLE001
            print("refused")
            print(f"crash {type(crash).__name__}: {crash}")


main()
