"""Stands for the package supervisor-stdout, whose only release on PyPI is for Python 2 and loads with no Python that there is.

What its author has in the repository since, where people install it from: the listener hands every payload back as its result, and
the function that supervisord calls with that prints each line of it behind the names of the process and of the channel.
"""

import sys


def main():
    while True:
        print("READY", flush=True)
        header = dict(word.split(":") for word in sys.stdin.readline().split())
        payload = sys.stdin.read(int(header["len"]))
        size = len(payload.encode())
        sys.stdout.write(f"RESULT {size}\n{payload}")
        sys.stdout.flush()


def event_handler(event, response):
    names, _, data = response.decode().partition("\n")
    names = dict(word.split(":") for word in names.split())
    before = "{processname} {channel} | ".format_map(names)
    print("\n".join(before + line for line in data.split("\n")))


if __name__ == "__main__":
    main()
