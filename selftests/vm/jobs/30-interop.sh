#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=400
#
# Kernel TCP and AF_XTCP in all pairs over a veth that loses, repeats, reorders,
# delays and corrupts, at several MTUs, with and without offloads. Every byte is
# checked by both ends.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh

PAIRS=${PAIRS:-"tcp:xtcp xtcp:tcp xtcp:xtcp"}
SIZE=${SIZE:-300000}

# One family pair, IPv4 and IPv6, both directions and small exchanges at once.
exchange()
{
	local s=${1%:*} c=${1#*:} status=0

	server s4 B --family "$s" --ip 4 --addr 10.88.0.2 --port 7004 &&
	server s6 B --family "$s" --ip 6 --addr fd88::2 --port 7006 || return
	local v4="ip netns exec A $XFER" to4="--family $c --ip 4 --addr 10.88.0.2 --port 7004"
	local to6="--family $c --ip 6 --addr fd88::2 --port 7006"

	together "$v4 put $to4 --size $SIZE" "$v4 get $to4 --size $SIZE" \
		 "$v4 put $to6 --size $SIZE" "$v4 get $to6 --size $SIZE" \
		 "$v4 echo $to4 --size 5 --conns 3" "$v4 echo $to6 --size 5 --conns 3" ||
		status=$?
	server_end s4 || status=$?
	server_end s6 || status=$?
	return $status
}

all_pairs()
{
	local pair

	for pair in $PAIRS; do
		ok "$pair (server:client), $1" exchange "$pair"
	done
}

netem()
{
	both tc qdisc replace dev va root netem limit 10000 "$@"
}

mtu()
{
	ip -n A link set va mtu "$1" && ip -n B link set vb mtu "$1"
}

offloads()
{
	both ethtool -K va tso "$1" gso "$1" gro "$1" sg "$1" tx "$1" rx "$1" >/dev/null
}

load_module || exit 1
modprobe -q sch_netem
netns_pair

all_pairs "MTU 1500"
mtu 9000
all_pairs "MTU 9000"
mtu 1280
all_pairs "MTU 1280"
mtu 1500
offloads off
all_pairs "offloads off"

# With offloads off what tcpdump sees is what a wire would carry.
checksums()
{
	local dump=/tmp/dump.pcap pid bad

	exec {tcpdump_err}< <(exec ip netns exec B tcpdump -i vb -s 0 -w $dump \
		tcp 2>&1 & echo $!; wait)
	read -r pid <&$tcpdump_err
	read -r _ <&$tcpdump_err
	exchange "$1" || return
	kill "$pid"
	cat <&$tcpdump_err >/dev/null
	tcpdump -nvv -r $dump 2>/dev/null >/tmp/dump.txt
	bad=$(grep -c incorrect /tmp/dump.txt)
	echo "$(grep -c 'Flags \[' /tmp/dump.txt) segments, $bad wrong"
	[ "$bad" = 0 ] && [ "$(grep -c '(correct)' /tmp/dump.txt)" -gt 100 ]
}
for pair in $PAIRS; do
	ok "$pair, tcpdump finds every checksum correct" checksums "$pair"
done

netem corrupt 2%
all_pairs "2 % corrupted"
offloads on
netem loss 5%
all_pairs "5 % lost"
netem delay 10ms reorder 75% 50%
all_pairs "reordered"
netem duplicate 10%
all_pairs "10 % duplicated"
netem delay 50ms 5ms
all_pairs "100 ms round trip"
netem delay 5ms 3ms loss 3% duplicate 3% corrupt 1% reorder 90%
all_pairs "all of it"

# IPv4 alone goes down to 576.
small_mtu()
{
	local s=${1%:*} c=${1#*:} status=0
	local to="--family $c --addr 10.88.0.2 --port 7004 --size $SIZE"

	server s4 B --family "$s" --addr 10.88.0.2 --port 7004 || return
	together "in_ns A $XFER put $to" "in_ns A $XFER get $to" || status=$?
	server_end s4 || status=$?
	return $status
}
# Who still waits for its FIN's acknowledgment needs IPv6 until then: below 1280
# the kernel takes its addresses away, and an orphan tries for minutes.
ok "no object of the module is left before IPv6 goes" slab_zero
both tc qdisc del dev va root
mtu 576
for pair in $PAIRS; do
	ok "$pair, MTU 576" small_mtu "$pair"
done
mtu 1500

# 4-119: the cable is out for five seconds in the middle of a transfer.
tx_bytes()
{
	in_ns A cat /sys/class/net/va/statistics/tx_bytes
}

cable_out()
{
	local s=${1%:*} c=${1#*:} start status=0 pid

	server s4 B --family "$s" --addr 10.88.0.2 --port 7004 || return
	start=$(tx_bytes)
	# a slow kernel also takes its time to look at it
	in_ns A $XFER put --family "$c" --addr 10.88.0.2 --port 7004 \
		--size $((1500000 * ${XTCP_SLOW:-1})) &
	pid=$!
	while [ $(($(tx_bytes) - start)) -lt 300000 ] && kill -0 $pid; do
		read -r -t 0.02 <> <(:)
	done
	ip -n A link set va down
	read -r -t 5 <> <(:)
	kill -0 $pid || status=1
	ip -n A link set va up
	wait $pid || status=$?
	server_end s4 || status=$?
	return $status
}
netem rate 4mbit
for pair in $PAIRS; do
	ok "$pair, link down for 5 s in a transfer" cable_out "$pair"
done

ok "no object of the module is left" slab_zero
netns_gone
ok "nor after the namespaces" slab_zero
done_testing
