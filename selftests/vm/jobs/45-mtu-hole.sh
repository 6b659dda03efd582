#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount timeout=300
#
# A path of MTU 1300 between hosts of MTU 1500, and no ICMP that tells: with
# tcp_mtu_probing 1 a transfer gets through, as kernel TCP's does, without it none.
# PAIRS=tcp:tcp XTCP_NO_MODULE=1 checks the job itself on the kernel's TCP.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh

PAIRS=${PAIRS:-"tcp:xtcp xtcp:tcp xtcp:xtcp"}
SIZE=${SIZE:-200000}

# knob NAME VALUE: of both stacks at both ends
knob()
{
	local ns

	for ns in A B; do
		in_ns $ns sh -c "for d in net/ipv4 net/xtcp; do
			[ ! -d /proc/sys/\$d ] || echo $2 >/proc/sys/\$d/$1; done"
	done
}

# A - R - B; what R sends is 1300 at most, and it keeps silent about it.
hole()
{
	local n i=1

	for n in A R B; do
		ip netns add $n && ip -n $n link set lo up
	done
	for n in A B; do
		ip link add v${n,} netns $n type veth peer name r${n,} netns R
		ip -n $n addr add 10.88.$i.1/24 dev v${n,}
		ip -n $n addr add fd88:$i::1/64 dev v${n,} nodad
		ip -n R addr add 10.88.$i.2/24 dev r${n,}
		ip -n R addr add fd88:$i::2/64 dev r${n,} nodad
		ip -n R link set r${n,} mtu 1300 up
		ip -n $n link set v${n,} up
		ip -n $n route add default via 10.88.$i.2
		ip -n $n route add default via fd88:$i::2
		netns_knobs $n
		i=2
	done
	in_ns R sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 &&
		in_ns R iptables -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP &&
		in_ns R ip6tables -A OUTPUT -p icmpv6 --icmpv6-type packet-too-big -j DROP
}

# transfer OP S:C IP [ARGS...]
transfer()
{
	local op=$1 s=${2%:*} c=${2#*:} ip=$3 addr=10.88.2.1 status=0

	shift 3
	[ "$ip" = 4 ] || addr=fd88:2::1
	server srv B --family "$s" --ip "$ip" --addr $addr --port 7004 || return
	in_ns A $XFER "$op" --family "$c" --ip "$ip" --addr $addr --port 7004 --size "$SIZE" "$@" ||
		status=$?
	server_end srv || status=$?
	return $status
}

# It must not get through.
stuck()
{
	! transfer "$@" --timeout 20
}

load_module || exit 1
hole || exit 1
# what is stuck is left alone soon after its program has gone
knob tcp_orphan_retries 2
for pair in $PAIRS; do
	knob tcp_mtu_probing 1
	for ip in 4 6; do
		ok "$pair (server:client), IPv$ip, up" transfer put "$pair" $ip
		ok "$pair, IPv$ip, down" transfer get "$pair" $ip
	done
	knob tcp_mtu_probing 2
	ok "$pair, IPv4, looking from the beginning" transfer put "$pair" 4
	knob tcp_mtu_probing 0
	ok "$pair, IPv4, the hole is one" stuck put "$pair" 4
done
for ns in A R B; do
	ip netns del $ns
done
ok "no object of the module is left" slab_zero 3000
done_testing
