#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount timeout=300
#
# ECN between kernel TCP and AF_XTCP in all pairs, over a link of 20 Mbit/s with
# fq_codel, which marks what it would drop: it is agreed to from either side, marks
# are echoed, the echo slows the sender down, and nothing is lost or sent again.
# PAIRS=tcp:tcp XTCP_NO_MODULE=1 checks the job itself on the kernel's TCP.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh

PAIRS=${PAIRS:-"tcp:xtcp xtcp:tcp xtcp:xtcp"}
SIZE=${SIZE:-3000000}

# knob NS NAME VALUE: of both stacks
knob()
{
	in_ns "$1" sh -c "for d in net/ipv4 net/xtcp; do
		[ ! -d /proc/sys/\$d ] || echo $3 >/proc/sys/\$d/$2; done"
}

# ip_count NS NAME: packets received, IPv4 and IPv6
ip_count()
{
	local n6

	n6=$(in_ns "$1" awk -v want="Ip6$2" '$1 == want { print $2 }' /proc/net/snmp6)
	echo $(($(count "$1" ip "$2") + n6))
}

# What the sender in NS of FAMILY knows of echoes, and of losses.
echoes()
{
	count "$1" "$2" TCPDeliveredCE
}

losses()
{
	echo $(($(count "$1" "$2" TCPFastRetrans) + $(count "$1" "$2" TCPTimeouts)))
}

# transfer SENDER RECEIVER SFAMILY what...: the counters of one direction
counters()
{
	sent_ect=$(ip_count "$2" InECT0Pkts)
	marked=$(ip_count "$2" InCEPkts)
	echoed=$(echoes "$1" "$3")
	lost=$(losses "$1" "$3")
}

# marked_transfer OP S:C IP: with ECN everything is marked, nothing lost
marked_transfer()
{
	local op=$1 s=${2%:*} c=${2#*:} from=A to=B sender status=0 addr=10.88.0.2 ect ce ech los

	[ "$3" = 4 ] || addr=fd88::2
	sender=$c
	[ "$op" = put ] || { from=B; to=A; sender=$s; }
	counters $from $to "$sender"
	ect=$sent_ect ce=$marked ech=$echoed los=$lost
	server srv B --family "$s" --ip "$3" --addr $addr --port 7004 || return
	in_ns A $XFER "$op" --family "$c" --ip "$3" --addr $addr --port 7004 --size "$SIZE" ||
		status=$?
	server_end srv || status=$?
	counters $from $to "$sender"
	echo "$((sent_ect - ect)) ECN-capable, $((marked - ce)) marked, $((echoed - ech)) echoed," \
	     "$((lost - los)) losses"
	[ $((sent_ect - ect)) -gt 500 ] && [ $((marked - ce)) -gt 0 ] || status=1
	[ $((echoed - ech)) -gt 0 ] && [ $((lost - los)) = 0 ] || status=1
	return $status
}

# Nobody asks, or the other end does not want it: nothing is ECN-capable.
plain_transfer()
{
	local s=${1%:*} c=${1#*:} status=0 ect

	ect=$(($(ip_count A InECT0Pkts) + $(ip_count B InECT0Pkts)))
	server srv B --family "$s" --addr 10.88.0.2 --port 7004 || return
	in_ns A $XFER put --family "$c" --addr 10.88.0.2 --port 7004 --size 100000 || status=$?
	server_end srv || status=$?
	ect=$(($(ip_count A InECT0Pkts) + $(ip_count B InECT0Pkts) - ect))
	echo "$ect ECN-capable"
	[ $ect = 0 ] && return $status
}

capable_transfer()
{
	! plain_transfer "$@"
}

load_module || exit 1
modprobe -qa sch_tbf sch_fq_codel
netns_pair
both tc qdisc add dev va root handle 1: tbf rate 20mbit burst 20k limit 2m
in_ns A tc qdisc add dev va parent 1: fq_codel target 2ms interval 20ms ecn || exit 1
in_ns B tc qdisc add dev vb parent 1: fq_codel target 2ms interval 20ms ecn || exit 1

for pair in $PAIRS; do
	knob A tcp_ecn 1
	knob B tcp_ecn 2
	ok "$pair (server:client), the client asks, IPv4 up" marked_transfer put "$pair" 4
	ok "$pair, IPv6 up" marked_transfer put "$pair" 6
	ok "$pair, IPv4 down" marked_transfer get "$pair" 4
	ok "$pair, IPv6 down" marked_transfer get "$pair" 6
	knob B tcp_ecn 0
	ok "$pair, the server does not want it" plain_transfer "$pair"
	knob B tcp_ecn 2
	knob A tcp_ecn 2
	ok "$pair, nobody asks" plain_transfer "$pair"
	# a feature of the route is as good as the knob, at either end
	knob A tcp_ecn 0
	ip -n A route change 10.88.0.0/24 dev va src 10.88.0.1 features ecn
	ok "$pair, the client's route asks" capable_transfer "$pair"
	knob B tcp_ecn 0
	ip -n B route change 10.88.0.0/24 dev vb src 10.88.0.2 features ecn
	ok "$pair, the server's route agrees" capable_transfer "$pair"
	ip -n A route change 10.88.0.0/24 dev va src 10.88.0.1
	ip -n B route change 10.88.0.0/24 dev vb src 10.88.0.2
	ok "$pair, neither does" plain_transfer "$pair"
done
netns_gone
ok "no object of the module is left" slab_zero
done_testing
