#!/bin/sh
# Starts a listener as many scripts do: it stays, between the supervisor and who listens.
cd /
"$@"
