#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# uml: timeout=300 time-travel=inf-cpu
#
# Allocations that fail: each of each call, in turn.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh
DEBUG=/sys/kernel/debug

# inject WHAT SETTING=VALUE...
inject()
{
	local what=$1 set

	shift
	for set in "$@"; do
		echo "${set#*=}" >"$DEBUG/$what/${set%%=*}" || return
	done
}

fail_nth()
{
	local status=0

	build/net/storm --fail-nth "$@" >/tmp/fail 2>&1 || status=$?
	note "$(sed 's/^# //' /tmp/fail)"
	return $status
}

[ -w /proc/self/fail-nth ] || { echo "Bail out! no fault injection"; exit 1; }
inject failslab verbose=0 ignore-gfp-wait=N probability=0 times=-1
inject fail_page_alloc verbose=0 ignore-gfp-wait=N min-order=32 probability=0
load_module || exit 1
ip link set lo up
echo 300 >/proc/sys/net/xtcp/tcp_timewait_ms
ok "calls: any allocation from a slab may fail" fail_nth socket bind listen connect accept \
	send send-much sendfile zerocopy recv shutdown close close-unread congestion async sysctl proc
ok "no object of the module is left" slab_zero 900
ok "the module unloads" rmmod xtcp
done_testing
