#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount timeout=300
#
# The cached input route: segments of a connection over a device do not look their
# route up, as kernel TCP's do not; unless routing has changed, they come by another
# device, or tcp_early_demux is 0. The hook is there only while somebody needs it.
# Arguments: names of the tests to run.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh
TRACING=/sys/kernel/tracing
EVENTS=(fib/fib_table_lookup fib6/fib6_table_lookup)
ROUNDS=300

# event 1 FILTER, event 0
event()
{
	local e

	echo >$TRACING/trace
	for e in "${EVENTS[@]}"; do
		echo "${2:-0}" >$TRACING/events/$e/filter &&
			echo "$1" >$TRACING/events/$e/enable || return
	done
}

# lookups CMD...: how many routes were looked up for packets from devices meanwhile
lookups()
{
	event 1 "iif > 1" || return
	"$@" >&2 || return
	event_count
}

# How often, since event 1
event_count()
{
	local n

	n=$(grep -c table_lookup $TRACING/trace)
	event 0
	echo "$n"
}

# rounds FAMILY IP [ROUNDS]: so many requests and answers of one connection, client in A
rounds()
{
	local addr=10.88.0.2

	[ "$2" = 4 ] || addr=fd88::2
	server srv B --family "$1" --ip "$2" --addr $addr --port 7023 || return
	in_ns A $XFER echo --family "$1" --ip "$2" --addr $addr --port 7023 \
		--size "${3:-$ROUNDS}" || return
	server_end srv
}

# N look-ups are so few that it is not one per segment
few()
{
	echo "$1 look-ups"
	[ "$1" -gt 0 ] && [ "$1" -le 60 ]
}

# The first connection calls the hook; a second one profits.
cached()
{
	local n

	rounds "$@" 1 && n=$(lookups rounds "$@") && few "$n"
}

# Without the knob each of the 2 ROUNDS segments looks its route up.
not_cached()
{
	local n

	both sysctl -qw net.xtcp.tcp_early_demux=0 && n=$(lookups rounds xtcp "$1") &&
		both sysctl -qw net.xtcp.tcp_early_demux=1 || return
	echo "$n look-ups"
	[ "$n" -ge $((2 * ROUNDS)) ]
}

# long FAMILY: a connection to 10.88.0.2, some of whose packets have come; ends in CLIENT
long()
{
	local had=$(($(packets vb) + 100))

	server srv B --family "$1" --addr 10.88.0.2 --port 7023 || return
	ns_exec A $XFER echo --family "$1" --addr 10.88.0.2 --port 7023 \
		--size 1000 --gap 10 &
	CLIENT=$!
	until [ "$(packets vb)" -gt $had ]; do
		kill -0 $CLIENT || return
	done
}

long_end()
{
	local status=0

	wait $CLIENT || status=$?
	server_end srv || status=$?
	return $status
}

packets()
{
	in_ns B cat "/sys/class/net/$1/statistics/rx_packets"
}

# The server's address goes while segments come: they must not reach it until it is back. Then
# one asks, and the others profit again.
address_gone()
{
	local start n

	start=$(count B ip InAddrErrors)
	long "$1" && ip -n B addr del 10.88.0.2/24 dev vb || return
	until [ "$(count B ip InAddrErrors)" -gt "$start" ]; do
		kill -0 $CLIENT || { echo "it went on"; return 1; }
	done
	event 1 "iif > 1" && ip -n B addr add 10.88.0.2/24 dev vb && long_end || return
	n=$(event_count)
	few "$n"
}

# Segments come by another device from now on: the first of them ask for a route.
other_device()
{
	local n had dev=vd

	# without ARP, which looks routes up, too
	ip link add vc netns A type veth peer name $dev netns B &&
		ip -n A link set vc up && ip -n B link set $dev up &&
		ip -n A neigh add 10.88.0.2 dev vc lladdr "$(in_ns B cat /sys/class/net/$dev/address)" ||
		return
	both sysctl -qw net.ipv4.conf.all.rp_filter=0 && long "$1" || return
	event 1 "iif == $(in_ns B cat /sys/class/net/$dev/ifindex)" &&
		ip -n A route replace 10.88.0.2 dev vc && long_end || return
	n=$(event_count) had=$(packets $dev)
	ip -n A link del vc
	echo "$had packets by the other device"
	[ "$had" -gt 200 ] && few "$n"
}

# How often the module's hook is asked during one round of kernel TCP.
hook_calls()
{
	echo >$TRACING/trace
	rounds tcp 4 1 >&2 || return
	awk '/early_hook/ { n++ } END { print n + 0 }' $TRACING/trace
}

# With a sock of ours about there is a hook, soon after it there is none.
hook_leaves()
{
	local n tries=0

	echo 'early_hook*' >$TRACING/set_ftrace_filter &&
		echo function >$TRACING/current_tracer || return
	server ours B --family xtcp --addr 10.88.0.2 --port 7024 &&
		in_ns A $XFER echo --family xtcp --addr 10.88.0.2 --port 7024 --size 1 &&
		n=$(hook_calls)
	echo "$n calls"
	[ "$n" -gt 0 ] && server_end ours || return
	until n=$(hook_calls) && [ "$n" = 0 ]; do
		[ $((tries++)) -lt 50 ] || return
	done
	echo nop >$TRACING/current_tracer
}

load_module takeover_linger_ms=100 || exit 1
netns_pair
for family in tcp xtcp; do
	run ${family}_ipv4_cached cached $family 4
	run ${family}_ipv6_cached cached $family 6
	run ${family}_address_gone address_gone $family
done
# kernel TCP of 7.2 does not get used to the other device: it asks for each segment
run xtcp_other_device other_device xtcp
run early_demux_0_ipv4 not_cached 4
run early_demux_0_ipv6 not_cached 6
run hook_leaves hook_leaves
netns_gone
ok "no object of the module is left" slab_zero 900
done_testing
