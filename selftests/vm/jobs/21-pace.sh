#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# uml: timeout=600 time-travel=inf-cpu
#
# How much of one socket stands in qdisc and device, in pieces of which size, and
# how fast it goes: AF_XTCP beside kernel TCP, over a veth with one qdisc or
# another, in virtual time. Arguments: names of the tests to run.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh

FLOW=build/net/pace_flow
declare -A TCP XTCP

# qdisc SPEC... on the sender's side; none: as at first
qdisc()
{
	tc -n A qdisc del dev va root 2>/dev/null
	[ $# = 0 ] || tc -n A qdisc add dev va root "$@" || return
}

# What B sends takes so many ms: a peer that is not next door gets no larger pieces.
far()
{
	tc -n B qdisc replace dev vb root netem delay "$1ms" limit 10000
}

# Knobs of the sender's namespace, for both: NAME VALUE
knob()
{
	in_ns A sysctl -qw "net.xtcp.$1=$2" && in_ns A sysctl -qw "net.ipv4.$1=$2"
}

# One transfer of each family with these arguments: TCP[key], XTCP[key]
flows()
{
	local line word

	line=$($FLOW tcp "$@") || return
	echo "tcp  $line"
	for word in $line; do TCP[${word%=*}]=${word#*=}; done
	line=$($FLOW xtcp "$@") || return
	echo "xtcp $line"
	for word in $line; do XTCP[${word%=*}]=${word#*=}; done
}

# near KEY PERCENT: ours is within so much of the kernel's
near()
{
	local a=${XTCP[$1]} b=${TCP[$1]}

	echo "$1: $a, kernel TCP $b"
	[ $((a * 100)) -ge $((b * (100 - $2))) ] && [ $((a * 100)) -le $((b * (100 + $2))) ]
}

# The packets, GSO's large ones, that the sender's device has taken.
packets()
{
	in_ns A cat /sys/class/net/va/statistics/tx_packets
}

# A queue of two small pieces, and the link is full. Where slow start ends, by HyStart++, moves
# cwnd a little from run to run (46 to 54 for 42 at 20 Mbit/s; 116 if it did not end); the
# round-trip time does not move with it.
small_queue()
{
	qdisc tbf rate "$1" burst 3200 limit 10000000 && far 20 || return
	flows addr="$2" warm=1000 ms=2000 || return
	near kbps 3 && [ "${XTCP[wmem_max]}" -le "$(two_pieces "${XTCP[pacing_max_kbps]}")" ] &&
		[ "${TCP[wmem_max]}" -le "$(two_pieces "${TCP[pacing_max_kbps]}")" ] &&
		near cwnd 60 && near rtt_us 10
}

# Two pieces at the highest rate, and one that may go when there is less; with their heads.
two_pieces()
{
	local piece=$(($1 * 125 / 1024))

	[ $piece -ge 2896 ] || piece=2896
	echo $((3 * (piece + 1400)))
}

# The socket ends while its skbs stand in the queue, and then the module goes.
queue_outlives()
{
	local i

	for i in 1 2 3; do
		qdisc tbf rate 500kbit burst 3200 limit 10000000 || return
		$FLOW xtcp warm=300 ms=100 end=abort || return
		[ $i != 1 ] || qdisc || return
		[ $i != 2 ] || reload || return
	done
	qdisc && settled
}

# Every connection has ended, while there is still a network to end in.
settled()
{
	local n=0 ns

	for ns in A B; do
		while in_ns $ns cat /proc/net/xtcp /proc/net/xtcp6 | grep -q '^ *[0-9]*:'; do
			sleep 0.1
			[ $((n += 1)) -lt 3000 ] || return
		done
	done
}

reload()
{
	local n=0

	# sockets keep it until the last skb of theirs has left
	until rmmod xtcp; do
		sleep 0.1
		[ $((n += 1)) -lt 600 ] || return
	done
	insmod /xtcp/xtcp.ko
}

limit_bytes()
{
	local most

	# fast enough that a millisecond's worth is more than the limit
	qdisc tbf rate 100mbit burst 16k limit 10000000 && far 20 || return
	flows warm=200 ms=200 && most=${XTCP[wmem_max]} && knob tcp_limit_output_bytes 6000 &&
		flows warm=200 ms=200 || return
	knob tcp_limit_output_bytes 4194304
	echo "$most, with the limit ${XTCP[wmem_max]}, kernel TCP ${TCP[wmem_max]}"
	[ "${XTCP[wmem_max]}" -lt "$most" ] &&
		[ "${XTCP[wmem_max]}" -le $((TCP[wmem_max] * 5 / 4)) ]
}

# SO_MAX_PACING_RATE is kept to, with whatever qdisc: RATE in kbit/s, or late=1
max_rate()
{
	local kbps=$1 set=$2 qdisc=$3

	# shellcheck disable=SC2086
	qdisc $qdisc && far 10 && flows "$set=$((kbps * 125))" warm=1500 ms=3000 || return
	near kbps 5 && [ "${XTCP[kbps]}" -ge $((kbps * 95 / 100)) ] &&
		[ "${XTCP[kbps]}" -le $((kbps * 105 / 100)) ]
}

# The rate by window and round-trip time, and what is delivered, as the kernel tells them.
rates_told()
{
	qdisc tbf rate 10mbit burst 3200 limit 30000 && far 40 || return
	flows warm=3000 ms=2000 || return
	near delivery_kbps 5 && near busy_ms 5 && [ "${XTCP[app_limited]}" = 0 ] || return
	flows warm=1000 ms=2000 burst=2896 gap=100 && near delivery_kbps 20 || return
	[ "${XTCP[app_limited]}" = 1 ]
}

# by_window RATIO: either's rate is so many per cent of its window in a round trip
by_window()
{
	local -n info
	local want

	for info in TCP XTCP; do
		# segments of 1,448 bytes
		want=$((info[cwnd] * 1448 * 8 * $1 * 10 / info[rtt_us]))
		echo "pacing_kbps: ${info[pacing_kbps]}, by the window $want"
		[ $((info[pacing_kbps] * 100)) -ge $((want * 95)) ] &&
			[ $((info[pacing_kbps] * 100)) -le $((want * 105)) ] || return
	done
}

# KNOB USUAL ARGS...: the rate told follows the ratio
ratio()
{
	local name=$1 usual=$2

	shift 2
	knob "$name" 100 && flows "$@" && by_window 100 &&
		knob "$name" 400 && flows "$@" && by_window 400 && knob "$name" "$usual"
}

ss_ratio()
{
	qdisc && far 20 && ratio tcp_pacing_ss_ratio 200 ms=100 burst=20000 gap=50
}

# A queue that overflows ends slow start.
ca_ratio()
{
	qdisc tbf rate 10mbit burst 3200 limit 30000 && far 20 &&
		ratio tcp_pacing_ca_ratio 120 warm=2000 ms=200
}

# One bottleneck of 10 Mbit/s with 1 % loss: nine tenths of it, with a short queue.
bbr()
{
	local line word

	qdisc netem rate 10mbit delay 20ms loss 1% limit 1000 && far 20 || return
	line=$($FLOW xtcp cc=bbr warm=2000 ms=5000) || return
	echo "$line"
	for word in $line; do XTCP[${word%=*}]=${word#*=}; done
	[ "${XTCP[kbps]}" -ge 8600 ] && [ "${XTCP[rtt_us]}" -le 100000 ] &&
		[ "${XTCP[min_rtt_us]}" -ge 40000 ] && [ "${XTCP[min_rtt_us]}" -le 45000 ]
}

# Bytes in a piece handed down: ours at 1 Mbit/s, with a knob at this value
piece()
{
	local n line word

	in_ns A sysctl -qw "net.xtcp.$1=$2" || return
	n=$(packets)
	line=$($FLOW xtcp rate=125000 warm=200 ms=2000) || return
	n=$(($(packets) - n))
	for word in $line; do XTCP[${word%=*}]=${word#*=}; done
	echo "$1 $2: $n packets for ${XTCP[kbit]} kbit" >&2
	echo $((XTCP[kbit] * 125 / n))
}

# NAME USUAL OTHER: pieces are larger with the other value
pieces()
{
	local small large

	qdisc && far 20 || return
	small=$(piece "$1" "$2") && large=$(piece "$1" "$3") || return
	in_ns A sysctl -qw "net.xtcp.$1=$2"
	[ "$large" -gt $((small * 2)) ]
}

# Small writes, each to go at once, and a qdisc that keeps them: what waits below
# is company for the next, where tcp_autocorking is on. Bytes in a segment.
autocorking()
{
	local args="nodelay=1 burst=100 writes=20 gap=50 warm=1000 ms=4000" segs on off

	qdisc tbf rate 10mbit burst 1600 limit 10000000 && far 0 || return
	# shellcheck disable=SC2086
	flows $args && near segs 3 || return
	on=$((XTCP[kbit] * 125 / XTCP[segs]))
	segs=$(count A xtcp TCPAutoCorking)
	# shellcheck disable=SC2086
	knob tcp_autocorking 0 && flows $args && off=$(count A xtcp TCPAutoCorking) || return
	echo "$on bytes in a segment, without $((XTCP[kbit] * 125 / XTCP[segs])), kernel TCP" \
		"$((TCP[kbit] * 125 / TCP[segs])); counted $segs, without $((off - segs))"
	knob tcp_autocorking 1
	[ "$segs" -gt 50 ] && [ "$off" = "$segs" ] && [ $on -gt 150 ] && near segs 3 &&
		[ $((XTCP[kbit] * 125 / XTCP[segs])) -le 105 ]
}

insmod /xtcp/xtcp.ko || { echo "Bail out! insmod"; exit 1; }
netns_pair
run small_queue_1mbit small_queue 1mbit 10.88.0.2
run small_queue_20mbit small_queue 20mbit fd88::2
run limit_bytes limit_bytes
run min_tso_segs pieces tcp_min_tso_segs 2 8
run tso_rtt_log pieces tcp_tso_rtt_log 9 20
run max_rate_by_timer max_rate 1000 rate ""
run max_rate_by_fq max_rate 1000 rate fq
run max_rate_late max_rate 4000 late ""
run autocorking autocorking
run rates_told rates_told
run pacing_ss_ratio ss_ratio
run pacing_ca_ratio ca_ratio
run bbr_with_loss bbr
run queue_outlives_the_socket queue_outlives
netns_gone
done_testing
