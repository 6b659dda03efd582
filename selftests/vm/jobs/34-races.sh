#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=400
#
# Sockets, namespaces and the module coming and going at random under load on
# every processor. The kernel log is the harness's to judge; here: does it all
# end, and is nothing left?
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh
STRESS=build/net/race_stress
SEED=${SEED:-1}
# A slow kernel needs longer for the same.
LONGER=$(((${XTCP_SLOW:-1} + 3) / 4))

# The socket of a killed program, or an orphan, may hold the module for a while.
unload()
{
	local i

	for ((i = 0; i < 100; i++)); do
		rmmod xtcp 2>/tmp/rmmod && return
		read -r -t 0.1 <> <(:)
	done
	cat /tmp/rmmod /proc/net/xtcp /proc/net/xtcp6
	return 1
}

# A namespace loses its name while the load runs, and ends with what is left of it.
dying()
{
	local i

	for ((i = 0; i < 5; i++)); do
		ip netns add R && ip -n R link set lo up || return
		ip netns exec R sh -c 'echo 2 >/proc/sys/net/xtcp/tcp_fin_timeout
			echo 2 >/proc/sys/net/xtcp/tcp_orphan_retries'
		ip netns exec R $STRESS $((3 * LONGER)) $((SEED + 100 + i)) &
		until [ "$(ip netns pids R | wc -l)" -gt 0 ]; do
			kill -0 $! || break
		done
		ip netns del R
		[ $((i % 2)) = 0 ] || { read -r -t 1 <> <(:); kill -9 $!; }
		wait $! || [ $((i % 2)) = 1 ] || return
	done
	return 0
}

# The same of two that talk over a device, so that hooks for its packets are in place.
hooked()
{
	local i pid rx=/sys/class/net/vb/statistics/rx_packets

	for ((i = 0; i < 4; i++)); do
		netns_pair && server srv B --family xtcp --addr 10.88.0.2 --port 7034 || return
		ns_exec A $XFER churn --family xtcp --addr 10.88.0.2 --port 7034 --conns 4 --size 20 &
		pid=$!
		until [ "$(in_ns B cat $rx)" -gt 300 ]; do
			kill -0 $pid || return
		done
		netns_gone
		kill -9 $pid "${SERVER_PID[srv]}"
		wait $pid "${SERVER_PID[srv]}"
		unload && load_module || return
	done
	return 0
}

# Gone while TIME-WAIT entries, requests and released ports are fresh.
churn()
{
	local i

	for ((i = 0; i < 5; i++)); do
		$STRESS $((2 * LONGER)) $((SEED + 200 + i)) && unload && load_module || return
	done
}

load_module || exit 1
echo 500 >/proc/sys/net/xtcp/tcp_timewait_ms
echo 2 >/proc/sys/net/xtcp/tcp_fin_timeout
ok "random load" $STRESS 20 "$SEED"
ok "no object of the module is left" slab_zero 900
ok "namespaces die under it" dying
ok "no object of the module is left" slab_zero 900
ok "namespaces die under it, then the module goes, over a device" hooked
ok "no object of the module is left" slab_zero 900
ok "the module goes right after it" churn
ok "no object of the module is left" slab_zero 900

# One bucket for all: whoever is found in it by the wrong hash is found for certain.
one_bucket()
{
	unload && insmod /xtcp/xtcp.ko flow_buckets=1 &&
		build/net/raw_test -s "${RAW_SLACK_MS:-250}" -j 1 -f xtcp -t 'backlog_*'
}

ok "a segment that waited has no say in where it is looked for" one_bucket
done_testing
