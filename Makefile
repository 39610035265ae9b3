# The few commands of the project; README and CONTRIBUTING say when to use which.

ORACLE := $(CURDIR)/.test-env/supervisor/bin
# Most tests wait for programs, not for the processor.
TEST_THREADS ?= 4
TEST_ENV := PROVOST_ORACLE=$(ORACLE) PROVOST_ORACLE_PYTHON=$(ORACLE)/python PROVOST_RSYSLOG=$(CURDIR)/.test-env/rsyslog/usr \
    PROVOST_NPM=$(CURDIR)/.test-env/npm/node_modules \
    RUST_TEST_THREADS=$(TEST_THREADS)
BENCHES ?= respawn boot shutdown memory idle spawn takeover logs doors events ctl parse
BENCH_ENV := PROVOST_ORACLE=$(ORACLE) PROVOST_RUNIT=$(CURDIR)/.test-env/runit/usr/bin

.PHONY: all run test setup lint fmt check-deps unit bench simulate faults clean

all:
	cargo build --release

# The main job on the example that ships with the project.
run: all
	target/release/supervisord -n -c examples/first/supervisord.conf

# Everything that must hold before a commit.
test: setup lint check-deps unit
	python3 scripts/planted-faults.py --some 8

# Installs what the tests need; quick when it is there.
setup:
	sh scripts/setup-tests.sh

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTFLAGS='--cfg fuzzing' cargo check --locked --bins --manifest-path fuzz/Cargo.toml

# Advisories need their database from the network: `cargo deny check` where there is one.
check-deps:
	cargo deny --all-features check licenses bans sources

unit:
	$(TEST_ENV) cargo test --workspace --no-fail-fast

fmt:
	cargo fmt --all

# Ours beside Supervisor 4.3.0, s6, runit and the physical limit, in one run; BENCHES="boot idle" runs only those.
bench: setup
	sh scripts/setup-bench.sh
	cargo build --release --workspace --bins --exclude provost-next
	for bench in $(BENCHES); do $(BENCH_ENV) cargo run --quiet --release -p provost-bench -- $$bench || exit 1; done

# The core's simulator, for as many seeds as you have patience.
simulate:
	PROVOST_SIM_SEEDS=$${SEEDS:-50000} cargo test --release -p provost-core --test simulator -- --nocapture

# Does the simulator see what it is there to see? FAULTS="--some 8" plants eight, other ones after every commit.
faults:
	python3 scripts/planted-faults.py $(FAULTS)

clean:
	cargo clean
