# The front door of vblktop. `make help` lists what it opens.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# In the order written: two builds at once would only be in each other's way.
.NOTPARALLEL:

PREFIX ?= /usr/local
DESTDIR ?=
# More options of vblktop for `make demo`, for example ARGS='--full-speed --scenario hot-lun'.
ARGS ?=
# Seconds each fuzz target runs.
SECONDS_EACH ?= 45

SWIFT ?= swift
# The clang of the Swift toolchain compiles BPF too.
BPF_CLANG ?= $(shell clang="$$(dirname "$$(readlink -f "$$(command -v $(SWIFT))")")/clang"; \
    [ -x "$$clang" ] && echo "$$clang" || echo clang)
BPF_FLAGS := -target bpf -mcpu=v2 -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror \
    -idirafter /usr/include/$(shell uname -m)-linux-gnu
# Beside the build, where the program looks for probes too.
BPF_OBJECTS := $(patsubst %.bpf.c,.build/%.bpf.o,$(wildcard probes/*.bpf.c))
SWIFT_FILES := Sources Tests Package.swift
# Warnings are errors, and a room imports only what Package.swift grants it. The same flags build and
# run the tests, so that nothing is built twice.
STRICT := VBLKTOP_STRICT=1
CHECKED := --explicit-target-dependency-import-check error

BUILD_PACKAGES := libncursesw5-dev libaio-dev liburing-dev libzstd-dev zlib1g-dev libsqlite3-dev \
    libexpat1-dev libbpf-dev
TEST_PACKAGES := $(BUILD_PACKAGES) tmux fio ncurses-term make qemu-system-x86 qemu-utils \
    qemu-system-common sysstat linux-perf blktrace babeltrace2 protobuf-compiler python3 \
    qemu-guest-agent

.PHONY: help deps deps-test bpf build demo test guest unit bench fuzz lint format sanitize golden rules install clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /|/' | \
	    while IFS='|' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

# Installs the Debian packages named in $(1) that are missing, or says which they are.
define install-missing
	@missing=(); \
	if ! command -v dpkg-query >/dev/null; then \
	    echo "This is no Debian system: if the build fails, install what $(1) are called here." >&2; \
	    exit 0; \
	fi; \
	for package in $(1); do \
	    status="$$(dpkg-query -W -f='$${db:Status-Status}' "$$package" 2>/dev/null || true)"; \
	    [ "$$status" = installed ] || missing+=("$$package"); \
	done; \
	[ $${#missing[@]} -gt 0 ] || exit 0; \
	as_root=(); \
	if [ "$$(id -u)" -ne 0 ]; then \
	    if ! command -v sudo >/dev/null; then \
	        echo "Missing: $${missing[*]}. As root: apt-get install $${missing[*]}" >&2; exit 1; \
	    fi; \
	    as_root=(sudo); \
	fi; \
	apt_get=("$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y); \
	echo "Installing $${missing[*]}"; \
	"$${apt_get[@]}" install --no-install-recommends "$${missing[@]}" || { \
	    "$${apt_get[@]}" update && \
	    "$${apt_get[@]}" install --no-install-recommends "$${missing[@]}"; }
endef

deps: ## install what building needs and is missing (apt-get, through sudo when not root)
	$(call install-missing,$(BUILD_PACKAGES))

deps-test: ## likewise for the tests
	$(call install-missing,$(TEST_PACKAGES))

.build/probes/%.bpf.o: probes/%.bpf.c $(wildcard probes/*.bpf.h)
	@mkdir -p $(@D)
	$(BPF_CLANG) $(BPF_FLAGS) -c $< -o $@

bpf: deps $(BPF_OBJECTS) ## compile the BPF programs; part of build, unit and bench

build: deps bpf ## build the release binary
	$(SWIFT) build -c release --product vblktop

demo: build ## watch 56 LUNs of the embedded engine; more options in ARGS=
	"$$($(SWIFT) build -c release --show-bin-path)/vblktop" --demo --luns 56 $(ARGS)

test: deps-test lint unit fuzz sanitize ## all that must hold: lint, tests, fuzzing, ThreadSanitizer

guest: ## build what the tests boot in QEMU; fetches 28 MB the first time
	Tests/GuestTests/Guest/build.sh

unit: guest bpf ## the tests alone
	$(STRICT) $(SWIFT) build --build-tests $(CHECKED)
	$(STRICT) $(SWIFT) test --parallel $(CHECKED)

bench: deps-test build ## measure the engine against its peers
	$(SWIFT) run -c release --package-path Tests/Benchmarks --scratch-path .build/bench \
	    vblktop-bench $(ARGS)

fuzz: ## fuzz every target for SECONDS_EACH=45
	Tests/Fuzz/run.sh $$(($(SECONDS_EACH) * $(words $(wildcard Tests/Fuzz/*/))))

lint: ## check the format
	$(SWIFT) format lint --strict -r $(SWIFT_FILES)

format: ## format in place
	$(SWIFT) format -i -r $(SWIFT_FILES)

sanitize: ## the engine's tests under ThreadSanitizer
	VBLKTOP_SANITIZER=1 $(SWIFT) test --sanitize=thread --scratch-path .build/tsan \
	    --filter DataPlaneTests

golden: ## record the golden frames and charts anew; read the diff before committing it
	VBLKTOP_RECORD_GOLDENS=1 $(SWIFT) test --filter 'ScreensTests|^BenchTests' || true
	git --no-pager diff --stat -- Tests/*/Goldens
	$(SWIFT) test --filter 'ScreensTests|^BenchTests'

rules: ## write docs/rules anew from the rules' declarations
	VBLKTOP_RECORD_RULES=1 $(SWIFT) test --filter RulePageTests

install: ## install what `make build` built below PREFIX=/usr/local, under DESTDIR=
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/share/vblktop/themes' \
	    '$(DESTDIR)$(PREFIX)/share/vblktop/probes'
	install -m 755 "$$($(SWIFT) build -c release --show-bin-path)/vblktop" '$(DESTDIR)$(PREFIX)/bin/'
	install -m 644 themes/*.toml '$(DESTDIR)$(PREFIX)/share/vblktop/themes/'
	install -m 644 probes/*.toml $(BPF_OBJECTS) '$(DESTDIR)$(PREFIX)/share/vblktop/probes/'
	@pages=(docs/man/*.1); if [ -e "$${pages[0]}" ]; then \
	    install -d '$(DESTDIR)$(PREFIX)/share/man/man1'; \
	    install -m 644 "$${pages[@]}" '$(DESTDIR)$(PREFIX)/share/man/man1/'; fi

clean: ## remove all build products
	rm -rf .build Tests/Benchmarks/.build
