#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount timeout=900 mem=1G slub_debug=0
#
# A great many TIME-WAIT entries, 200,000 unless the argument says otherwise:
# bytes of each, lookups among them, and the end of all of them in one moment. In
# a machine whose clock counts instructions, so that its times do not depend on
# who else is busy.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh
N=${1:-200000}
TOOL=build/net/tw_million
TRACE=/sys/kernel/tracing
# guest seconds to make them in: waiting costs nothing here
END=$((N / 3000 + 20))

# slab NAME COLUMN
slab()
{
	awk -v name="$1" -v col="$2" '$1 == name { print $col }' /proc/slabinfo
}

state_now()
{
	awk -v name="$1" '/^TcpState:/ { for (i = 2; i <= NF; i++)
		if (!heads) head[i] = $i; else if (head[i] == name) print $i
		heads = 1 }' /proc/net/xtcp_netstat
}

set_up()
{
	mount -t tracefs none $TRACE 2>/dev/null
	load_module flow_buckets=1048576 && modprobe tun && ip tuntap add dev tw0 mode tun &&
		ip addr add 10.200.0.1/16 dev tw0 && ip link set tw0 up &&
		echo $((N * 2)) >/proc/sys/net/xtcp/tcp_max_tw_buckets
}

fill()
{
	$TOOL fill "$N" $END || return
	[ "$(state_now TIME_WAIT)" = "$N" ]
}

# An object and what SLUB adds to it; all the memory of the cache by entry.
size_of_entry()
{
	local size pages objects all

	size=$(slab xtcp_tw 4) objects=$(slab xtcp_tw 2)
	pages=$(($(slab xtcp_tw 15) * $(slab xtcp_tw 6)))
	all=$((pages * 4096 * 10 / objects))
	echo "$objects entries in $pages pages: $size bytes each, $((all / 10)).$((all % 10)) with the slab's rest"
	[ "$objects" -ge "$N" ] && [ "$size" -le 64 ] && [ $all -le 650 ] &&
		[ "$(slab xtcp_tw6 4)" -le 96 ] && [ "$(slab xtcp_req 4)" -le 128 ]
}

probe()
{
	$TOOL probe 20000
}

# None earlier than it must, all within a time that is told, no softirq long.
expiry()
{
	local i left

	echo 0 >$TRACE/tracing_on
	echo 8192 >$TRACE/buffer_size_kb
	echo mono >$TRACE/trace_clock
	# TIMER and RCU
	for i in entry exit; do
		echo "vec == 1 || vec == 9" >$TRACE/events/irq/softirq_$i/filter
		echo 1 >$TRACE/events/irq/softirq_$i/enable
	done
	while left=$(state_now TIME_WAIT); [ "$left" -gt $((N * 99 / 100)) ]; do
		[ $SECONDS -lt $((END + 100)) ] || return
		read -r -t 0.1 <> <(:)
	done
	# the log holds the last of it all: from when the many begin to go
	echo 1 >$TRACE/tracing_on
	while left=$(state_now TIME_WAIT); [ "$left" -gt 0 ]; do
		[ $SECONDS -lt $((END + 300)) ] || return
		read -r -t 0.1 <> <(:)
	done
	echo "the last of $N gone $SECONDS s after the beginning, due at $END s"
	[ $SECONDS -ge $((END - 1)) ] && [ $SECONDS -le $((END + N / 40000 + 3)) ]
}

# The longest run of the two softirqs, us.
longest_softirq()
{
	echo 0 >$TRACE/tracing_on
	awk '/softirq_entry/ { t = $0; sub(/: softirq_entry.*/, "", t); sub(/.* /, "", t); at = t }
		/softirq_exit/ && at { t = $0; sub(/: softirq_exit.*/, "", t); sub(/.* /, "", t)
			d = (t - at) * 1e6; n++; sum += d; if (d > max) max = d; at = 0 }
		END { printf "%d softirqs, %d us on average, longest %d us\n", n, sum / (n ? n : 1), max
			exit !(n > 0 && max <= 2000) }' $TRACE/trace
}

cheap_lookup()
{
	echo "a segment that finds nothing: $NONE ns with no entry, $MANY ns with $N"
	[ "$MANY" -le $((NONE * 110 / 100)) ]
}

# Without debugging SLUB counts what a CPU keeps for itself as in use.
nothing_left()
{
	local i cache

	for ((i = 0; i < 300; i++)); do
		for cache in /sys/kernel/slab/xtcp*/shrink; do
			echo 1 >"$cache"
		done
		[ "$(slab_objects)" = 0 ] && return
		read -r -t 0.1 <> <(:)
	done
	slab_zero 1
}

ok "set up" set_up
NONE=$(probe)
SECONDS=0
ok "$N TIME-WAIT entries (SEEDS 1-21, D-10)" fill
ok "64 bytes each, IPv6 96, a request 128 (SEEDS 1-21, D-10)" size_of_entry
MANY=$(probe)
ok "lookups are as quick as without them" cheap_lookup
ok "all end together, in time" expiry
ok "no softirq ran for more than 2 ms" longest_softirq
ok "no object of the module is left" nothing_left
ok "the module unloads" rmmod xtcp
done_testing
