# SPDX-License-Identifier: GPL-2.0
#
# xtcp: what a person types. "make help" lists it. All products go to build/.

VERSION	:= $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"$$/\1/p' dkms.conf)
PREFIX	?= /usr/local
DESTDIR	?=
XTCP_CACHE ?= $(HOME)/.cache/xtcp
export XTCP_CACHE

# The kernel to build for: the running one, else the newest generic headers.
KDIR	?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
		$(lastword $(shell ls -d /usr/src/linux-headers-*-amd64 2>/dev/null | sort -V)))
KREL	= $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)

# Objects land beside a farm of links to the sources, one per kernel, so that
# the tree stays clean and kernels do not disturb each other.
KOBJ	= $(CURDIR)/build/kmod/$(KREL)

.PHONY: all module module-race tools net bench install uninstall clean help demo vm check lint setup debug matrix sim fuzz

all: module tools

# "make module" alone must say in one line what is missing.
module:
	@[ -n "$(KDIR)" ] && [ -n "$(KREL)" ] || \
		{ echo "xtcp: no kernel headers; install linux-headers-amd64 or give KDIR=" >&2; exit 1; }
	@scripts/link-farm "$(KOBJ)"
	@flock "$(KOBJ)" $(MAKE) --no-print-directory -C $(KDIR) M=$(KOBJ) modules
	@[ -n "$(ARCH)$(XTCP_RACE)" ] || ln -sfn kmod/$(KREL)/xtcp.ko build/xtcp.ko

# The same with its race points made wide (src/module/race.h), for tests.
module-race:
	@$(MAKE) --no-print-directory module KOBJ=$(CURDIR)/build/kmod-race/$(KREL) XTCP_RACE=y

tools:
	@$(MAKE) --no-print-directory -C src/tools O=$(CURDIR)/build/tools \
		PREFIX=$(PREFIX) VERSION=$(VERSION)

net:
	@$(MAKE) --no-print-directory -C selftests/net O=$(CURDIR)/build/net
	@$(MAKE) --no-print-directory -C selftests/bench O=$(CURDIR)/build/bench

bench: module net
	@scripts/setup.sh bench
	@selftests/bench/run

# With DKMS's tree in /usr/src the module follows the kernel's updates:
# dkms install xtcp/$(VERSION).
SRCDIR	= $(DESTDIR)/usr/src/xtcp-$(VERSION)
install: all
	$(MAKE) -C $(KDIR) M=$(KOBJ) modules_install \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR))
	[ -n "$(DESTDIR)" ] || depmod $(KREL)
	$(MAKE) -C src/tools O=$(CURDIR)/build/tools PREFIX=$(PREFIX) \
		DESTDIR=$(DESTDIR) VERSION=$(VERSION) install
	install -D -m 644 include/uapi/linux/xtcp.h $(DESTDIR)$(PREFIX)/include/linux/xtcp.h
	rm -rf $(SRCDIR)
	install -d $(SRCDIR)/scripts
	cp -r Kbuild Makefile dkms.conf COPYING include src $(SRCDIR)/
	cp scripts/link-farm $(SRCDIR)/scripts/

uninstall:
	rm -f $(DESTDIR)/lib/modules/$(KREL)/*/xtcp.ko $(DESTDIR)$(PREFIX)/bin/xtcp-run \
		$(DESTDIR)$(PREFIX)/bin/xtcp-trace \
		$(DESTDIR)$(PREFIX)/lib/libxtcp-preload.so $(DESTDIR)$(PREFIX)/include/linux/xtcp.h
	rm -rf $(SRCDIR)
	[ -n "$(DESTDIR)" ] || depmod $(KREL)

setup:
	@scripts/setup.sh all

demo:
	@scripts/demo

vm:
	@scripts/vm

lint:
	@scripts/lint

check:
	@scripts/check

debug:
	@selftests/vm/debug all

matrix: tools net
	@selftests/vm/matrix all

sim:
	@$(MAKE) --no-print-directory -j2 -f selftests/user.mk million

fuzz:
	@$(MAKE) --no-print-directory -f selftests/user.mk fuzz-check FUZZ_S=$(or $(FUZZ_S),600) FUZZ_JOBS=$(or $(FUZZ_JOBS),2)

clean:
	rm -rf build

help:
	@echo "make            build the module (build/xtcp.ko) and the tools (build/tools)"
	@echo "make install    install both, and the sources for DKMS [PREFIX= DESTDIR= KDIR=]"
	@echo "make demo       two virtual machines, nginx and curl over xtcp (under 3 minutes)"
	@echo "make vm         a shell in a virtual machine with the module loaded"
	@echo "make check      all tests"
	@echo "make matrix     the module and its tests on Debian's 6.1, 6.1-rt, 6.12 and 7.2 kernels"
	@echo "make sim        a million simulated networks from seeds (under 10 minutes)"
	@echo "make fuzz       long runs of the fuzzers [FUZZ_S= seconds each, FUZZ_JOBS= at a time]"
	@echo "make bench      what AF_XTCP costs beside kernel TCP, in a virtual machine"
	@echo "make debug      the tests on kernels with KASAN and with KCSAN (hours)"
	@echo "make lint       W=1, sparse, checkpatch"
	@echo "make setup      fetch what demo, vm and check need (they do it themselves)"
	@echo "make uninstall, make clean"
	@echo "KDIR=$(KDIR)"
	@echo "XTCP_CACHE=$(XTCP_CACHE)"
