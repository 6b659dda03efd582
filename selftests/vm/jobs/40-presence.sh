#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount slub_debug=0 timeout=300
#
# While nobody uses AF_XTCP the kernel's TCP pays nothing: the instructions of a
# connection and of a round trip are the same without the module, with it loaded,
# and after a socket came and went and the receive path was given back. With a
# socket open there is a cost, which shows that the instrument sees the hook.
. selftests/vm/guest/tap.sh
declare -A CRR RR

# Deferred work of the boot and of the last step, TIME-WAIT included, is over
# after this; while the machine idles, virtual time costs nothing.
settle()
{
	read -r -t 70 <> <(:)
}

# Medians of kernel TCP's crr and rr.
measure()
{
	local name=$1 bench value

	settle
	while read -r bench _ _ value; do
		case $bench in
		crr.lo) CRR[$name]=${value%.*} ;;
		rr.lo) RR[$name]=${value%.*} ;;
		esac
	done < <(build/bench/speed --count --family tcp --units 300 --rounds 6 crr rr)
	note "$name: crr ${CRR[$name]:-none} rr ${RR[$name]:-none} instructions"
}

# within A B: less than 0.5 % apart
within()
{
	local diff=$(($1 - $2))

	[ "$1" -gt 5000 ] && [ $((${diff#-} * 200)) -le "$2" ]
}

same()
{
	ok "$1: crr as without the module" within "${CRR[$1]:-0}" "${CRR[without]:-0}"
	ok "$1: rr as without the module" within "${RR[$1]:-0}" "${RR[without]:-0}"
}

plan 9
measure first
measure without
ok "the instrument repeats itself: crr" within "${CRR[first]:-0}" "${CRR[without]:-0}"
ok "the instrument repeats itself: rr" within "${RR[first]:-0}" "${RR[without]:-0}"

insmod /xtcp/xtcp.ko takeover_linger_ms=100 || { echo "Bail out! insmod"; exit 1; }
measure loaded
same loaded

# A socket that exists: the receive path is taken, and that can be measured.
coproc HOLD { exec build/net/raw_load hold; }
hold_pid=$HOLD_PID
read -r _ <&"${HOLD[0]}"
measure used
ok "with a socket open there is a cost" test "${RR[used]:-0}" -gt "${RR[without]:-0}"
eval "exec ${HOLD[1]}>&-"
wait "$hold_pid"
measure "given back"
same "given back"

rmmod xtcp
measure unloaded
same unloaded
done_testing
