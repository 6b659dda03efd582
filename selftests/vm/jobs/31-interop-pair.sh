#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# pair: nic_a=e1000 nic_b=virtio timeout=400
#
# Kernel TCP and AF_XTCP in all pairs between two machines, one with an e1000,
# one with virtio-net, offloads on and off, MTU 1500 and 9000. Guest b serves,
# guest a asks and reports.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh
DEV=$(cat /run/xtcp-dev)
SIZE=${SIZE:-2000000}

# Here the two ends are machines, not namespaces.
ns_exec()
{
	shift
	exec "$@"
}

setup()
{
	ip link set "$DEV" mtu "$1" &&
	ethtool -K "$DEV" tso "$2" gso "$2" gro "$2" sg "$2" tx "$2" >/dev/null
	# not every driver has every one of them
	return 0
}

serve_round()
{
	local family=$1 status=0

	server s4 - --family "$family" --ip 4 --addr 10.77.0.2 --port 7004 || status=1
	server s6 - --family "$family" --ip 6 --addr fd77::2 --port 7006 || status=1
	xtcp-sync up >/dev/null
	xtcp-sync down >/dev/null
	server_end s4 || status=1
	server_end s6 || status=1
	return $status
}

ask_round()
{
	local family=$1 status=0
	local to4="--family $family --ip 4 --addr 10.77.0.2 --port 7004"
	local to6="--family $family --ip 6 --addr fd77::2 --port 7006"

	xtcp-sync up >/dev/null
	together "$XFER put $to4 --size $SIZE" "$XFER get $to4 --size $SIZE" \
		 "$XFER echo $to6 --size 20 --conns 3" || status=1
	together "$XFER put $to6 --size $SIZE" "$XFER get $to6 --size $SIZE" \
		 "$XFER echo $to4 --size 20 --conns 3" || status=1
	xtcp-sync down >/dev/null
	return $status
}

load_module || exit 1
[ -d /proc/sys/net/xtcp ] && echo 200 >/proc/sys/net/xtcp/tcp_timewait_ms
for mtu in 1500 9000; do
	for offload in on off; do
		setup $mtu $offload
		for pair in ${PAIRS:-tcp:xtcp xtcp:tcp xtcp:xtcp}; do
			name="$pair (server:client), MTU $mtu, offloads $offload"
			if [ "$XTCP_NAME" = b ]; then
				ok "$name" serve_round "${pair%:*}"
			else
				ok "$name" ask_round "${pair#*:}"
			fi
		done
	done
done
ok "no object of the module is left" slab_zero
done_testing
