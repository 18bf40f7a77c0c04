# ocinit: `make run` boots an OCI image in a virtual machine, on a fresh Debian 12 with Rust.
.DEFAULT_GOAL := help
.PHONY: help setup build board features reproducible run test test-escapes check lint-python size bench-boot bench-unpack bench-run fuzz miri clean

# Debian packages: to build and to boot; and those that the tests and the benchmark need in addition.
TO_RUN  := gcc libc6-dev python3 qemu-system-x86 umoci
TO_TEST := $(TO_RUN) apache2-utils binutils bubblewrap buildah crun docker-registry dosfstools e2fsprogs erofs-utils iproute2 kmod mmdebstrap mtools mypy oci-image-tool openssl procps python3-venv runc skopeo squashfs-tools strace uidmap xorriso zstd

# Seconds that `make fuzz` gives each target.
SECONDS ?= 60

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## install missing Debian packages (root or sudo) and Rust's musl target
	@qemu/setup $(TO_TEST)

build: ## build the release binary
	@qemu/setup $(TO_RUN)
	cargo build --release

BOARD := --package ocinit --config linker/board.toml --profile small --no-default-features --features init --target-dir target/board

board: ## build PID 1 alone, as small as it gets: target/board/x86_64-unknown-linux-musl/small/ocinit
	cargo build $(BOARD)

reproducible: ## build HEAD in two clones and compare the programs
	@linker/reproducible

features: ## check each feature alone: clippy, build, unit tests (zstd is no program without one of the others)
	for features in init runtime tools init,zstd; do \
	    echo "--features $$features"; set -- --package ocinit --no-default-features --features $$features; \
	    cargo clippy "$$@" -- -D warnings && cargo build "$$@" --target-dir target/features && cargo test --lib "$$@" || exit 1; \
	done

run: build ## boot the demonstration image; show its output and the time of each phase
	qemu/boot --timings "$$(qemu/demo-image)"
	@echo; echo "image:   $$(qemu/demo-image)"; echo "program: $(CURDIR)/target/x86_64-unknown-linux-musl/release/ocinit"

# The tests that find most in under two minutes: unit tests, the rules for the source, conformance/
# with ocinit alone, hostile images, golden plans. One module a line.
FAST := src:: tidy:: \
    conformance:: \
    hostile:: \
    plans::

check: setup lint-python ## formatting, clippy, documentation and the quick tests: under two minutes
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --lib
	OCINIT_RUNTIME=ocinit tests/run $(FAST)

# mypy reads the typed files: qemu/, the hostile images, the benchmarks' common part.
TYPED  := $(wildcard qemu/*.py qemu/tests/*.py tests/all/hostile/*.py) $(addprefix qemu/, boot bench-boot debian-image demo-image kernel mkdisk mkinitramfs) tests/bench/measuring.py
PYTHON := $(TYPED) tests/run linker/size $(addprefix tests/bench/, run unpack) $(wildcard tests/all/support/*.py)

lint-python: setup ## the Python files: ruff, mypy, unit tests of qemu/, which need no VM
	@ruff=$$(qemu/setup --ruff) && "$$ruff" check --config qemu/ruff.toml $(PYTHON) && "$$ruff" format --check --config qemu/ruff.toml $(PYTHON)
	mypy --config-file qemu/mypy.ini $(TYPED)
	PYTHONPATH=qemu python3 -B -W error -m unittest discover -s qemu/tests

test: setup build ## all tests, most of them in virtual machines, and the time of each module
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	tests/run

# A test in the long form may take an hour on busy processors.
test-escapes: setup build ## the escapes that are races, in their long form: more than an hour
	OCINIT_ESCAPES=long OCINIT_TEST_LONGEST=3600 cargo test --test all -- \
	    escapes:: escapes_links:: escapes_racing:: escapes_racing_mounts::

size: build ## size of the stripped binary, and its largest parts
	@linker/size

bench-boot: setup build ## time from PID 1's start to the container's first instruction, beside a busybox shell
	qemu/bench-boot

bench-unpack: setup build ## time and memory of unpacking, beside tar, umoci and the floors of each part
	cargo build --release --example floors
	tests/bench/unpack

PEERS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ocinit/peers

bench-run: setup build ## time and memory of running a container, beside the newest runc, crun, bwrap and the kernel's part alone
	cargo build --release --example floors
	[ -e $(PEERS)/bin/crun ] || PROGRAMS="crun runc bubblewrap patchelf" tests/bench/newest-peers $(PEERS)
	tests/bench/run --peers $(PEERS)

fuzz: setup ## run every fuzz target for SECONDS, by default 60 (needs cargo-fuzz and a nightly toolchain)
	@cargo +nightly fuzz --version >/dev/null 2>&1 || { echo "make fuzz: cargo-fuzz or the nightly toolchain is missing: rustup toolchain install nightly && cargo install cargo-fuzz" >&2; exit 1; }
	@for target in $$(cargo +nightly fuzz list --fuzz-dir tests/fuzz); do \
	    mkdir -p tests/fuzz/corpus/$$target; \
	    cargo +nightly fuzz run --fuzz-dir tests/fuzz --target x86_64-unknown-linux-gnu $$target tests/fuzz/corpus/$$target tests/fuzz/seeds/$$target -- -max_total_time=$(SECONDS) || exit 1; \
	done

# Miri runs neither assembly nor C, so these are the rooms without them, on the host's target.
MIRI := sync:: sys::ring io::strings io::path rootfs::name error:: codec::json codec::tar::header codec::tar::pax codec::crc32::tests::known

miri: ## run the unit tests of unsafe code and of parsers under Miri (needs a nightly toolchain)
	@cargo +nightly miri --version >/dev/null 2>&1 || { echo "make miri: Miri is missing: rustup toolchain install nightly && rustup component add --toolchain nightly miri rust-src" >&2; exit 1; }
	CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER= MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --lib \
	    --target x86_64-unknown-linux-gnu --target-dir target/miri --no-default-features -- $(MIRI) --skip linear_time --skip every_prefix

clean: ## remove all built files (~/.cache/ocinit keeps the downloads)
	cargo clean
