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
ok "the module goes right after it" churn
ok "no object of the module is left" slab_zero 900
done_testing
