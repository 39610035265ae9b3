#!/bin/sh
# Installs what only the benches need, and nothing twice:
#   s6      the distribution's package: files alone, no service, no init (s6-svscan looks for s6-supervise in /usr/bin)
#   runit   the same, unpacked into .test-env/runit and not installed, since Debian's wants a say in the machine's init
# In: nothing. Out: one line a step; the last one says what the benches want in the environment. Ends with 1 and a reason
# when a step fails. Needs root only to install s6.
set -eu

cd "$(dirname "$0")/.."
runit=$PWD/.test-env/runit
log=$PWD/.test-env/setup-bench.log
mkdir -p .test-env
: >"$log"

say() { printf 'setup-bench: %s\n' "$*"; }

fail() {
    printf 'setup-bench: %s\n' "$*" >&2
    if [ -s "$log" ]; then
        printf 'the last lines of %s:\n' "$log" >&2
        tail -n 15 "$log" >&2
    fi
    exit 1
}

# Runs a noisy command quietly; its output is shown only when it fails.
quietly() { "$@" >>"$log" 2>&1; }

need_apt() { command -v apt-get >/dev/null || fail "cannot get $1: there is no apt-get; install it by hand"; }

# A list of packages may be missing or too old to be of use; as another user than root we try with the one there is.
update_lists() { [ "$(id -u)" -ne 0 ] || quietly apt-get update || fail "apt-get update failed"; }

setup_s6() {
    if command -v s6-svscan >/dev/null && command -v s6-supervise >/dev/null; then
        say "s6 is installed"
        return
    fi
    need_apt s6
    [ "$(id -u)" -eq 0 ] || fail "cannot install s6 as this user; as root: apt-get install --no-install-recommends s6"
    update_lists
    DEBIAN_FRONTEND=noninteractive quietly apt-get install -y --no-install-recommends s6 ||
        fail "apt-get could not install s6"
    command -v s6-svscan >/dev/null || fail "s6 is installed, but there is no s6-svscan"
    say "s6 installed by apt"
}

setup_runit() {
    if [ -x "$runit/usr/bin/runsvdir" ] && [ -x "$runit/usr/bin/runsv" ]; then
        say "runit is in .test-env/runit"
        return
    fi
    need_apt runit
    update_lists
    rm -rf "$runit"
    mkdir -p "$runit"
    (cd "$runit" && quietly apt-get download runit) || fail "apt-get could not download runit"
    quietly dpkg -x "$runit"/runit_*.deb "$runit" || fail "dpkg could not unpack runit"
    [ -x "$runit/usr/bin/runsvdir" ] || fail "runit is unpacked, but there is no runsvdir"
    say "runit unpacked into .test-env/runit"
}

setup_s6
setup_runit
say "ready; benches want PROVOST_RUNIT=$runit/usr/bin"
