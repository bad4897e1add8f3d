# SPDX-License-Identifier: GPL-2.0-or-later
#
# `make help` says what there is.

# The module is built for KVER: the running kernel if it will do, else the newest
# installed one of the series that guests boot. Tests and the demo run in a guest,
# and so build for that one.
RUNNING := $(shell uname -r)
ifeq ($(shell printf '%s\n' 6.12 $(RUNNING) | sort -VC && test -e /lib/modules/$(RUNNING)/build && echo yes),yes)
KVER ?= $(RUNNING)
else
KVER ?= $(shell tests/bed/kernel)
endif
KDIR ?= /lib/modules/$(KVER)/build
DESTDIR ?=
PREFIX ?= /usr/local
MANDIR ?= $(PREFIX)/share/man

# For `make one`
T ?= create
BED ?= uml
FS ?= ext4

USERSPACE := $(wildcard userspace/Makefile)
# Never built twice at once: two makes would write the same objects.
guest = VENEER_KERNEL=$$(tests/bed/kernel) && export VENEER_KERNEL && $(MAKE) KVER="$$VENEER_KERNEL"

.PHONY: all module userspace tests install demo setup check check-debug check-host one bench lint clean help

all: module $(if $(USERSPACE),userspace)

module:
	@test -e "$(KDIR)/Makefile" || { \
		echo "make: no headers for Linux $(or $(KVER),6.12) ($(KDIR)); install them, or run tests/bed/setup as root" >&2; \
		exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR)/module modules

userspace:
	$(MAKE) -C userspace

tests:
	$(MAKE) -C tests

# Debian's headers have no System.map, without which modules_install leaves depmod
# out, and no key to sign with.
install:
	$(MAKE) -C $(KDIR) M=$(CURDIR)/module INSTALL_MOD_DIR=updates CONFIG_MODULE_SIG_ALL= \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	$(if $(DESTDIR),,depmod $(KVER))
	$(if $(USERSPACE),$(MAKE) -C userspace install DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) MANDIR=$(MANDIR))

setup:
	@tests/bed/setup

demo: setup
	@$(guest) all
	@$(guest) --no-print-directory run-demo

.PHONY: run-demo run-check
run-demo:
	@tests/demo/run

# check           every test, in every bed
# check T="a b"   these test programs only
# check HOST=1    on this machine, without a guest
ifneq ($(HOST),)
check: check-host
else
check: setup
	@$(guest) all tests
	@$(guest) --no-print-directory run-check PROGRAMS="$(if $(filter command line environment,$(origin T)),$(T))"
endif

run-check:
	@tests/bed/check $(PROGRAMS)

check-debug: setup
	@$(guest) tests
	@tests/bed/check --bed uml --programs-only

check-host:
	@tests/bed/host --possible
	@tests/bed/setup
	@$(MAKE) KVER=$(RUNNING) all tests
	@tests/bed/check --bed host

# The developer's loop: make one T=create [BED=qemu|uml] [FS=ext4|xfs|tmpfs]
one:
	@$(guest) -s $(if $(filter qemu,$(BED)),module) $(T:%=tests/build/%)
	@VENEER_KERNEL=$$(tests/bed/kernel) tests/bed/check --quick --bed $(BED) --fs $(FS) $(T)

.PHONY: $(T:%=tests/build/%)
$(T:%=tests/build/%):
	$(MAKE) -C tests $(CURDIR)/$@

bench: setup
	@$(guest) all tests
	@$(guest) --no-print-directory run-bench

.PHONY: run-bench
run-bench:
	@tests/bench/run

lint: setup
	@tests/bed/lint

clean:
	rm -rf tests/build
	$(if $(USERSPACE),$(MAKE) -C userspace clean)
	cd module && find . \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
		-o -name '.*.cmd' -o -name modules.order -o -name Module.symvers \) -delete

help:
	@echo 'make              build the module and the helper'
	@echo 'make install      install both, for the running kernel or KVER=RELEASE'
	@echo 'make demo         the main job on real input, in a guest: sets up, builds, runs'
	@echo 'make check        every test: sets up, builds, runs them in guests'
	@echo 'make check T=NAME one test program in every bed'
	@echo 'make check HOST=1 every test on this machine itself'
	@echo 'make check-debug  the test programs under the debug kernel only'
	@echo 'make one T=NAME   quick: build, run one program; BED=uml|qemu, FS=ext4|xfs|tmpfs'
	@echo 'make bench        measure, against overlayfs in the same guest'
	@echo 'make lint         checkpatch, warnings, sparse, shellcheck, rooms'
	@echo 'make clean        remove what was built; caches are in /var/cache/veneer'
