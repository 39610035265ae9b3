#!/bin/sh
# Installs what the tests need beside the Rust toolchain, and nothing twice:
#   .test-env/supervisor   a virtualenv with Supervisor 4.3.0, which we are compared with, and superlance, which asks both
#                          (and the packages of tests/listeners/requirements.txt, which listen to both)
#   mariadb-server         the distribution's package, for the founding story (tests/mariadb.rs)
#   .test-env/npm          an XML-RPC client for Node (tests/clients), by npm and its lock file
#   .test-env/rsyslog      the distribution's package, unpacked and not installed, to send lines to
#   curl, openssl          the distribution's packages, as clients of HTTPS
#   zsh, fish              the distribution's packages; completion is tried in them (tests/shell), and in bash
#   chromium               the distribution's package, in which the web page is tried (tests/web)
#   cargo-deny             checks licences and advisories of our dependencies
# In: nothing. Out: one line a step; the last one says what the tests want in the
# environment. Ends with 1 and a reason when a step fails. Needs root only for what apt installs.
set -eu

cd "$(dirname "$0")/.."
venv=$PWD/.test-env/supervisor
rsyslog=$PWD/.test-env/rsyslog
npm=$PWD/.test-env/npm
log=$PWD/.test-env/setup.log
mkdir -p .test-env
: >"$log"

say() { printf 'setup-tests: %s\n' "$*"; }

fail() {
    printf 'setup-tests: %s\n' "$*" >&2
    if [ -s "$log" ]; then
        printf 'the last lines of %s:\n' "$log" >&2
        tail -n 15 "$log" >&2
    fi
    exit 1
}

# Runs a noisy command quietly; its output is shown only when it fails.
quietly() { "$@" >>"$log" 2>&1; }

# Installs packages with apt, as root and without starting any service.
apt_install() {
    command -v apt-get >/dev/null || fail "cannot install $*: there is no apt-get; install it by hand"
    [ "$(id -u)" -eq 0 ] || fail "cannot install $* as this user; as root: apt-get install --no-install-recommends $*"
    quietly apt-get update || fail "apt-get update failed"
    policy=/usr/sbin/policy-rc.d
    made_policy=no
    if [ ! -e "$policy" ]; then
        # Debian asks this file before it starts a service; 101 means no.
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made_policy=yes
        trap 'rm -f "$policy"' EXIT
    fi
    status=0
    DEBIAN_FRONTEND=noninteractive quietly apt-get install -y --no-install-recommends "$@" || status=$?
    if [ "$made_policy" = yes ]; then
        rm -f "$policy"
        trap - EXIT
    fi
    [ "$status" -eq 0 ] || fail "apt-get could not install $*"
}

oracle_works() { [ "$("$venv/bin/supervisord" -v 2>/dev/null)" = 4.3.0 ]; }

setup_superlance() {
    if [ -x "$venv/bin/memmon" ]; then
        say "superlance is in .test-env/supervisor"
        return
    fi
    quietly "$venv/bin/pip" install --disable-pip-version-check 'superlance==2.0.0' ||
        fail "pip could not install superlance 2.0.0"
    say "superlance 2.0.0 installed in .test-env/supervisor"
}

setup_listeners() {
    pinned=tests/listeners/requirements.txt
    if cmp -s "$pinned" "$venv/listeners.txt" && [ -x "$venv/bin/superhooks" ]; then
        say "the event listeners are in .test-env/supervisor"
        return
    fi
    # Without what they ask for: all of it is in the list, in versions that do not move.
    quietly "$venv/bin/pip" install --disable-pip-version-check --no-deps -r "$pinned" ||
        fail "pip could not install the event listeners of $pinned"
    cp "$pinned" "$venv/listeners.txt"
    say "the event listeners of $pinned installed in .test-env/supervisor"
}

setup_supervisor() {
    # Running it also notices a virtualenv whose directory was moved.
    if oracle_works; then
        say "Supervisor 4.3.0 is in .test-env/supervisor"
        return
    fi
    command -v python3 >/dev/null || apt_install python3 python3-venv
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    quietly python3 -m venv --clear "$venv" || fail "cannot make the virtualenv $venv"
    quietly "$venv/bin/pip" install --disable-pip-version-check 'supervisor==4.3.0' ||
        fail "pip could not install supervisor 4.3.0"
    oracle_works || fail "supervisord in $venv does not run"
    say "Supervisor 4.3.0 installed in .test-env/supervisor"
}

setup_npm() {
    if cmp -s tests/clients/node/package-lock.json "$npm/package-lock.json" && [ -d "$npm/node_modules/xmlrpc" ]; then
        say "the npm client is in .test-env/npm"
        return
    fi
    { command -v node && command -v npm; } >/dev/null || apt_install nodejs npm
    mkdir -p "$npm"
    cp tests/clients/node/package.json tests/clients/node/package-lock.json "$npm"
    (cd "$npm" && quietly npm ci --ignore-scripts --no-audit --no-fund) || fail "npm could not install its client"
    say "the npm client installed in .test-env/npm"
}

setup_mariadb() {
    if [ -x /usr/sbin/mariadbd ] && command -v mariadb mariadb-install-db >/dev/null; then
        say "MariaDB is installed"
        return
    fi
    apt_install mariadb-server
    [ -x /usr/sbin/mariadbd ] || fail "mariadb-server is installed, but there is no /usr/sbin/mariadbd"
    say "MariaDB installed by apt; no server was started"
}

setup_rsyslog() {
    if [ -x "$rsyslog/usr/sbin/rsyslogd" ]; then
        say "rsyslog is in .test-env/rsyslog"
        return
    fi
    command -v apt-get >/dev/null ||
        fail "cannot get rsyslog: there is no apt-get; install it by hand, and let PROVOST_RSYSLOG lead to where its sbin is"
    # As another user than root we try with the lists that there are.
    [ "$(id -u)" -ne 0 ] || quietly apt-get update || fail "apt-get update failed"
    rm -rf "$rsyslog"
    mkdir -p "$rsyslog"
    # With the libraries that nothing else needs.
    (cd "$rsyslog" && quietly apt-get download rsyslog libestr0 libfastjson4) ||
        fail "apt-get could not download rsyslog"
    for package in "$rsyslog"/*.deb; do
        quietly dpkg -x "$package" "$rsyslog" || fail "dpkg could not unpack $package"
    done
    [ -x "$rsyslog/usr/sbin/rsyslogd" ] || fail "rsyslog is unpacked, but there is no rsyslogd"
    say "rsyslog unpacked into .test-env/rsyslog"
}

setup_https_clients() {
    missing=
    for program in curl openssl; do
        command -v "$program" >/dev/null || missing="$missing $program"
    done
    if [ -z "$missing" ]; then
        say "curl and openssl are installed"
        return
    fi
    # Certificates come with it that the system trusts, which one test asks for.
    # shellcheck disable=SC2086 # a list of words
    apt_install $missing ca-certificates
    say "installed by apt:$missing"
}

setup_shells() {
    missing=
    for program in bash zsh fish; do
        command -v "$program" >/dev/null || missing="$missing $program"
    done
    if [ -z "$missing" ]; then
        say "bash, zsh and fish are installed"
        return
    fi
    # shellcheck disable=SC2086 # a list of words
    apt_install $missing
    say "installed by apt:$missing"
}

setup_chromium() {
    if command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null; then
        say "Chromium is installed"
        return
    fi
    apt_install chromium
    command -v chromium >/dev/null || fail "chromium is installed, but there is no such program"
    say "Chromium installed by apt"
}

setup_cargo_deny() {
    if cargo deny --version >/dev/null 2>&1; then
        say "cargo-deny is installed"
        return
    fi
    command -v cargo >/dev/null || fail "there is no cargo; install the Rust toolchain first"
    say "building cargo-deny, once, for some minutes"
    quietly cargo install --locked cargo-deny || fail "cargo could not install cargo-deny"
    say "cargo-deny installed"
}

setup_supervisor
setup_superlance
setup_listeners
setup_npm
setup_mariadb
setup_rsyslog
setup_https_clients
setup_shells
setup_chromium
setup_cargo_deny
say "ready; tests want PROVOST_ORACLE=$venv/bin PROVOST_RSYSLOG=$rsyslog/usr PROVOST_NPM=$npm/node_modules"
