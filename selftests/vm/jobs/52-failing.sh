#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# uml: timeout=300 time-travel=inf-cpu
#
# Allocations that fail: each of each call, in turn; each of loading the module;
# and those of softirqs at random, under transfers.
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
	cat /tmp/fail >>/tmp/fails
	cat /tmp/fail
	return $status
}

# The kernel itself says so when a cache cannot be made, with a trace; all else
# is as bad as ever.
log_clean()
{
	local bad

	bad=$(dmesg | grep -E 'WARNING:|BUG|KASAN|Oops|refcount_t|suspicious|unreferenced|ODEBUG|corruption')
	[ -z "$bad" ] || { dmesg | tail -n 200; return 1; }
	dmesg -C
}

# Three in a hundred atomic allocations fail while both families transfer.
transfers()
{
	local op ip addr n out status=0

	inject failslab ignore-gfp-wait=Y task-filter=N probability=3 interval=1 times=1000000
	for op in put get; do
		for ip in 4 6; do
			addr=10.88.0.2
			[ $ip = 4 ] || addr=fd88::2
			for ((n = 0; n < 12; n++)); do
				out=$(in_ns A $XFER $op --family xtcp --ip $ip --addr $addr \
					--port 740$ip --size 150000 --timeout 200 2>&1) && continue
				# that a SYN could not be made is said clearly, and all is as before
				grep -qE 'connect: (No buffer space|Cannot allocate)' <<<"$out" && continue
				echo "$op IPv$ip: $out"
				status=1
			done
		done
	done
	inject failslab probability=0
	return $status
}

[ -w /proc/self/fail-nth ] || { echo "Bail out! no fault injection"; exit 1; }
inject failslab verbose=0 ignore-gfp-wait=N probability=0 times=-1
inject fail_page_alloc verbose=0 ignore-gfp-wait=N ignore-gfp-highmem=N min-order=32 probability=0
: >/tmp/fails

ok "loading the module: any allocation may fail" fail_nth -m /xtcp/xtcp.ko
ok "the log is clean" log_clean
load_module || exit 1
ip link set lo up
echo 300 >/proc/sys/net/xtcp/tcp_timewait_ms
ok "calls: any allocation from a slab may fail" fail_nth
inject fail_page_alloc min-order=0
ok "calls: any allocation may fail" fail_nth socket bind listen connect accept send send-much \
	sendfile recv shutdown close close-unread proc
note "$(sed 's/^# //' /tmp/fails)"
inject fail_page_alloc min-order=32
ok "no object of the module is left" slab_zero 900

netns_pair
server x4 B --family xtcp --addr 10.88.0.2 --port 7404 --timeout 200
server x6 B --family xtcp --ip 6 --addr fd88::2 --port 7406 --timeout 200
ok "transfers survive failing softirqs" transfers
failed=$((1000000 - $(cat $DEBUG/failslab/times)))
note "$failed allocations failed"
ok "enough of them" [ "$failed" -gt 500 ]
server_end x4
server_end x6
netns_gone
ok "no object of the module is left" slab_zero 900
ok "the module unloads" rmmod xtcp
done_testing
