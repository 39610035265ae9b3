#!/bin/sh
# Ends the daemon whose pid is in a file, whatever it is told.
printf 'READY\n'
while read -r event; do
    echo "ends for: $event" >&2
    kill -3 "$(cat "$1")"
done </dev/stdin
