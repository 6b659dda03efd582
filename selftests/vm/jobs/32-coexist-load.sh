#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=600
#
# Kernel TCP traffic while the module comes and goes a thousand times, each time
# taking over the receive path: not one exchange may be lost.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh
LOAD=build/net/raw_load
LOG=/tmp/traffic.log
# A slow kernel does less of it.
TIMES=${TIMES:-$((1000 / ${XTCP_SLOW:-1}))} TOGGLES=${TOGGLES:-$((300 / ${XTCP_SLOW:-1}))}

# traffic COMMAND...: run it under kernel TCP load on IPv4 and IPv6.
traffic()
{
	local status=0 pids=() churn=() ip out=/tmp/churn line addr

	SECONDS=0
	netns_pair
	server t4 B --ip 4 --addr 10.88.0.2 --port 7004
	server t6 B --ip 6 --addr fd88::2 --port 7006
	for ip in 4 6; do
		[ $ip = 4 ] && addr=10.88.0.2 || addr=fd88::2
		mkfifo $out.$ip.fifo
		ip netns exec A $XFER churn --ip $ip --addr $addr --port 700$ip --size 5 \
			--pause 20 >$out.$ip.fifo 2>&1 &
		pids+=($!)
		exec {churn[$ip]}<$out.$ip.fifo
		read -r line <&${churn[$ip]}
		rm $out.$ip.fifo
	done
	"$@" || status=$?
	kill "${pids[@]}"
	for ip in 4 6; do
		cat <&${churn[$ip]}
		exec {churn[$ip]}<&-
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || status=$?
	done
	server_end t4 || status=$?
	server_end t6 || status=$?
	netns_gone
	return $status
}

# Say how much there was to lose.
counted()
{
	traffic "$@" >$LOG 2>&1
	local status=$?

	echo "in $SECONDS s" >>$LOG
	[ $status = 0 ] || cat $LOG
	return $status
}

# A module anew, whose TIME-WAIT entries end soon.
load_with()
{
	insmod /xtcp/xtcp.ko "$@" && echo 200 >/proc/sys/net/xtcp/tcp_timewait_ms
}

# Loading waits for many grace periods: make them short, a thousand is much.
echo 1 >/sys/kernel/rcu_expedited
ok "kernel TCP, nothing else" counted true
ok "kernel TCP loses nothing in $TIMES loads and unloads" \
	counted $LOAD load /xtcp/xtcp.ko "$TIMES"
note "$(cat $LOG)"

# Takeover and giving back, many times, without unloading.
ok "load" load_with takeover_linger_ms=1
ok "kernel TCP loses nothing in $TOGGLES takeovers" counted $LOAD toggle "$TOGGLES" 10
note "$(cat $LOG)"
ok "unload" rmmod xtcp
ok "load" load_with takeover_linger_ms=0
ok "kernel TCP loses nothing in $TOGGLES takeovers without linger" \
	counted $LOAD toggle "$TOGGLES" 2
note "$(cat $LOG)"
ok "no object of the module is left" slab_zero
done_testing
