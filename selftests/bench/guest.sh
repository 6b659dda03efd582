#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh GROUP ORDER [quick|N]: in a guest of its own, the benchmarks of one group
# (run_group), first with one family, then with the other; ORDER is "tcp xtcp" or
# "xtcp tcp". quick: fewer rounds and entries; N: so many rounds, thousands of
# entries, and the names of the kernel's addresses into /out, for profile. In between every connection has ended, and the receive path
# is the kernel's again: kernel TCP is measured as if the module were not there.
set -u
group=$1 order=$2 quick=${3:-}
set --	# the library would take them for settings
. selftests/net/interop_lib.sh
BENCH=build/bench
VETH=(--ns A B --addr 10.88.0.2)

# What a boot put off, and TIME-WAIT, is over after that. Idle time costs nothing
# where the clock counts instructions.
settle()
{
	read -r -t "${1:-75}" <> <(:) || true
}

speed()
{
	local path=$1 what=$2

	shift 2
	[ "$path" = lo ] || set -- "${VETH[@]}" "$@"
	$BENCH/speed --figures --family "$family" "$@" --rounds $rounds "$what"
}

inject()
{
	$BENCH/inject "$family" --rounds $rounds "$@"
}

state()
{
	$BENCH/state "$family" "$@"
}

# extra ARGS: kernel TCP without an AF_XTCP socket and with a listener, beside
# kernel TCP without the module, which has been measured before.
presence()
{
	local as=$1

	$BENCH/speed --figures --family tcp --rounds $rounds --as "presence.rr$as" rr
	$BENCH/speed --figures --family tcp --rounds $rounds --as "presence.crr$as" crr
	$BENCH/inject tcp --rounds $rounds syn.cookie | sed "s/syn.cookie/presence.cookie$as/"
}

# The same over the veth, by a kernel TCP that shares namespace and device with a connection.
presence_veth()
{
	$BENCH/speed --figures --family tcp "${VETH[@]}" --rounds $rounds --as "presence.veth$1" rr
}

run_presence()
{
	family=tcp
	netns_pair
	settle
	presence ""
	presence_veth ""
	load
	settle
	presence .loaded
	coproc HOLD { exec build/net/raw_load hold; }
	read -r _ <&"${HOLD[0]}"
	settle
	presence .listener
	eval "exec ${HOLD[1]}>&-"
	server srv B --family xtcp --addr 10.88.0.2 --port 7001 --timeout 1000 || return
	coproc HOLD { ns_exec A build/net/raw_load hold 10.88.0.2 7001; }
	read -r _ <&"${HOLD[0]}"
	settle
	presence_veth .connection
	eval "exec ${HOLD[1]}>&-"
}

load()
{
	[ ! -d /sys/module/xtcp ] || return 0
	# shellcheck disable=SC2086	# several, or none
	insmod /xtcp/xtcp.ko takeover_linger_ms=100 ${params:-} || exit
	sysctl -q net.ipv4.tcp_max_tw_buckets="${tcp_tw:-2000000}"
	sysctl -q net.xtcp.tcp_max_tw_buckets="${xtcp_tw:-2000000}"
}

run_group()
{
	case $group in
	crr.lo|rr.lo|rr2.lo|bulk.lo|small.lo|sendfile.lo|zerocopy.lo) speed lo "${group%.*}" ;;
	crr.veth|rr.veth|bulk.veth|sendfile.veth|zerocopy.veth) speed veth "${group%.*}" ;;
	scrr.c|scrr.s|syn.cookie|synq|ack.bad|ack.good|ack.sack|floodcrr|survive|curve.*) inject "$group" ;;
	smp) for n in 1 2 4; do $BENCH/smp "$family" $n $((8 / less + 2)) || return; done ;;
	cap) state cap 20000 ;;
	memory)
		for what in est child synrecv; do
			state $what $((8000 / less)) || return
			settle	# its namespace has gone
		done ;;
	tw) state tw "$many" ;;
	twc) state twc $((12000 / less)) A B ;; # with half the ports the cliff begins
	lookup) state lookup $((62464 / less)) ;;
	cliff) state cliff 14116 A B ;;
	floors) [ "$family" = xtcp ] || { inject drop && $BENCH/floors; } ;;
	*) echo "no group called \"$group\""; exit 2 ;;
	esac
}

rounds=4 less=1 many=100000
case $quick in
quick) rounds=2 less=8 many=12500 ;;
[1-9]*) rounds=$quick many=${quick}000 ;;
esac
echo "kernel $(uname -r)"
modprobe tun
case $group in
presence) run_presence; exit ;;
lookup) params=flow_buckets=1024 ;;
esac
load
case $quick in [1-9]*) cat /proc/kallsyms >/out/kallsyms ;; esac
[ -e /run/netns/A ] || netns_pair
for n in A B; do
	ip netns exec $n sysctl -q net.ipv4.tcp_max_tw_buckets=2000000
	ip netns exec $n sysctl -q net.xtcp.tcp_max_tw_buckets=2000000 net.xtcp.tcp_timewait_ms=60000
done
for family in $order; do
	settle
	[ "$(cat /sys/module/xtcp/refcnt)" = 0 ] || { echo "AF_XTCP is still in use"; exit 1; }
	run_group || exit
done
