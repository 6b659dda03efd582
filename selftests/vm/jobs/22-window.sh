#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# uml: timeout=900 time-travel=inf-cpu
#
# Dynamic right-sizing: on a long path the receive buffer grows to what the reader
# takes in a round trip, as kernel TCP's does on the same path, and not when a
# program or tcp_moderate_rcvbuf says no. Virtual time, so every figure repeats.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh

# path MS: as long there and back again, 100 Mbit/s from A to B
path()
{
	ip netns exec A tc qdisc replace dev va root netem delay "$(($1 / 2))ms" rate 100mbit limit 4000
	ip netns exec B tc qdisc replace dev vb root netem delay "$(($1 / 2))ms" limit 4000
}

# moved FAMILY SECONDS [RCVBUF]: sets BUF and GOT
moved()
{
	local line

	line=$(build/net/rcv_window A B 10.88.0.2 "$@") || line="window $1 0 0"
	read -r _ _ BUF GOT <<<"$line"
	note "$* over ${rtt} ms: buffer $BUF, $GOT bytes"
}

# at_least NAME A B: A >= 0.95 B, and neither is nothing
at_least()
{
	ok "$1 ($2, kernel TCP $3)" test "$3" -gt 0 -a $(($2 * 100)) -ge $(($3 * 95))
}

load_module || exit 1
modprobe -q sch_netem
netns_pair
for rtt in 20 100 200; do
	path $rtt
	moved tcp 8
	tcp_buf=$BUF tcp_got=$GOT
	moved xtcp 8
	at_least "$rtt ms: the buffer" "$BUF" "$tcp_buf"
	at_least "$rtt ms: bytes" "$GOT" "$tcp_got"
done
rtt=100
path $rtt
first=$(ip netns exec B cat /proc/sys/net/xtcp/tcp_rmem | awk '{ print $2 }')
max=$(ip netns exec B cat /proc/sys/net/xtcp/tcp_rmem | awk '{ print $3 }')
ok "the buffer grew, but not beyond tcp_rmem" test "$BUF" -gt "$first" -a "$BUF" -le "$max"
moved tcp 8 100000
tcp_buf=$BUF
moved xtcp 8 100000
is "SO_RCVBUF is the last word" "$BUF" "$tcp_buf"
ip netns exec B sh -c 'echo 0 >/proc/sys/net/xtcp/tcp_moderate_rcvbuf'
moved xtcp 8
is "tcp_moderate_rcvbuf 0: as it was at first" "$BUF" "$first"
# while there is still a network: a writer that was killed has much left to send
ok "no object of the module is left" slab_zero 900
netns_gone
done_testing
