#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=600
#
# What can be seen: xtcp-trace draws a scripted life and cleans up after itself;
# xtcp_states agrees with the dump; every transition of edges.h that the raw
# tests take shows as a tracepoint. (3-5 3-6 4-20)
. selftests/vm/guest/tap.sh
TRACE=build/tools/xtcp-trace
RAW=build/net/raw_test
SLACK=${RAW_SLACK_MS:-250}
INSTANCES=/sys/kernel/tracing/instances
tmp=$(mktemp -d)

nap() { read -r -t "${1:-0.05}" <> <(:); }

# tracer OUT OPTIONS...: in the background, up when this returns; its pid is $tracer
tracer()
{
	local out=$1

	shift
	: >"$tmp/err"
	$TRACE "$@" >"$out" 2>"$tmp/err" &
	tracer=$!
	until grep -q tracing "$tmp/err"; do
		kill -0 $tracer 2>/dev/null || break
		nap
	done
}

instances() { find $INSTANCES -mindepth 1 -maxdepth 1 | wc -l; }

# in_order FILE PATTERN...: lines that match come in this order
in_order()
{
	local file=$1 at=1 n p

	shift
	for p in "$@"; do
		n=$(tail -n +$at "$file" | grep -nEm 1 -- "$p" | cut -d : -f 1)
		if [ -z "$n" ]; then
			echo "not found after line $at: $p"
			cat "$file"
			return 1
		fi
		at=$((at + n))
	done
}

life()		# IP: the ladder of raw_t_states.c's trace_life
{
	local ip=$1 out=$tmp/life$1

	tracer "$out"
	ok "v$ip: the scripted life" $RAW -f xtcp -i "$ip" -s "$SLACK" -t trace_life
	kill -INT $tracer
	wait $tracer
	is "v$ip: xtcp-trace ends well on SIGINT" $? 0
	is "v$ip: its tracing instance is gone" "$(instances)" 0
	ok "v$ip: handshake, data, retransmission, drop, close, TIME_WAIT, in order" \
		in_order "$out" 'CLOSE -> LISTEN' '\|<-+ SYN seq=0 --\|' 'CLOSE -> SYN_RECV \(SYN\)' \
		'\|-- SYN,ACK seq=0 ack=1 -+>\|' '\|<-+ ACK seq=1 ack=1 --\|' \
		'SYN_RECV -> ESTABLISHED' '\|<-+ PSH,ACK seq=1 ack=1 len=20 --\|' \
		'ESTABLISHED \|-- PSH,ACK seq=1 ack=21 len=100 -+>\|' '! timer rexmit after 0\.[2-9]' \
		'PSH,ACK seq=1 ack=21 len=100 -+>\|' 'retransmission' '\|<-+ RST seq=23 --\|' \
		'x dropped: RST in window, not at RCV.NXT' \
		'ESTABLISHED -> FIN_WAIT1 \(close\)' '\|-- FIN,ACK seq=101 ack=21 -+>\|' \
		'FIN_WAIT1 -> FIN_WAIT2' '\|<-+ FIN,ACK seq=21 ack=102 --\|' \
		'FIN_WAIT2 -> TIME_WAIT \(FIN\)' '\|-- ACK seq=102 ack=22 -+>\|' \
		'TIME_WAIT -> CLOSE'
	is "v$ip: no line is wider than 80 columns" "$(awk 'length > 80' "$out")" ""
	is "v$ip: no colour in a file" "$(grep -c $'\033' "$out")" 0
	note "the ladder:"
	grep -v LISTEN "$out" | sed 's/^/#   /'
}

# What a reader cannot trust: names of tasks, lost events, lines without an end.
hostile()
{
	local e='netns=1 l=[::ffff:10.0.0.1]:80 f=[::ffff:10.0.0.2]:4000'
	{
		printf ' a-1 [0] ..... 1.0: xtcp_state: %s from=CLOSE to=SYN_RECV cause=SYN\n' "$e"
		printf ' \033[31mevil-1 [0] ..... 1.5: xtcp_drop: %s flags=S\033[2J seq=5 ack=0 len=0 wnd=1 segs=1 reason=\033]0;x\007\n' "$e"
		printf 'CPU:0 [LOST 7 EVENTS]\n'
		printf 'x: xtcp_state: netns=1 l=[zz]:80 f=[::]:1 from=A to=B\n'
		printf ': xtcp_state: netns=\n: xtcp_nothing: netns=1\n\0\0\n'
		head -c 100000 /dev/zero | tr '\0' A
		printf '\n b-1 [0] ..... 2.0: xtcp_state: %s from=SYN_RECV to=ESTABLISHED cause=ACK of SYN\n' "$e"
		printf ' b-1 [0] ..... 3.0: xtcp_state: %s from=ESTA' "$e"
	} | $TRACE --color=never -i - >"$tmp/hostile"
	is "hostile input: it ends well" $? 0
	is "no byte of it reaches the terminal" "$(LC_ALL=C grep -c '[^ -~]' "$tmp/hostile")" 0
	ok "what can be understood is drawn" in_order "$tmp/hostile" 'CLOSE -> SYN_RECV' \
		'7 events were lost' '2?1?.000 ESTABLISHED .*SYN_RECV -> ESTABLISHED \(ACK of SYN\)'
	is "nothing else is" "$(grep -c 'nothing\|zz\|AAA' "$tmp/hostile")" 0
	head -c 300000 /dev/urandom | $TRACE -i - >/dev/null
	is "noise is no reason to end badly" $? 0
	head -n 1 "$tmp/hostile" >/dev/null
	printf ' a-1 [0] . 1.0: xtcp_state: %s from=CLOSE to=SYN_SENT cause=connect\n' "$e" |
		$TRACE --color=always -i - >"$tmp/color"
	ok "colour when asked for" grep -q $'\033' "$tmp/color"
}

options()
{
	local e='flags=A seq=1 ack=1 len=0 wnd=1 segs=1' f=$tmp/two

	printf ' a-1 [0] . 1.0: xtcp_segment_in: netns=%s l=[%s]:80 f=[::ffff:10.0.0.2]:%s %s\n' \
		1 ::ffff:10.0.0.1 4000 "$e" 2 fd00::1 4001 "$e" 1 ::ffff:10.0.0.1 4002 "$e" >"$f"
	is "-p" "$($TRACE -i "$f" -p 4001 | grep -c '<->')" 1
	is "-a, IPv4" "$($TRACE -i "$f" -a 10.0.0.1 | grep -c '<->')" 2
	is "-a, IPv6" "$($TRACE -i "$f" -a fd00::1 | grep -c '<->')" 1
	is "-n" "$($TRACE -i "$f" -n 2 | grep -c '<->')" 1
	is "-c" "$($TRACE -i "$f" -c 2 | wc -l)" 2
	ok "a port that is none is refused" test "$($TRACE -p 70000 2>&1; echo $?)" != 0
	tracer "$tmp/none" -t 1
	wait $tracer
	is "-t ends it" $? 0
	# one that could not clean up
	tracer "$tmp/none" -p 9
	kill -9 $tracer
	wait $tracer 2>/dev/null
	is "a killed one leaves its instance" "$(instances)" 1
	tracer "$tmp/none" -t 1
	wait $tracer
	is "the next one takes it away" "$(instances)" 0
}

# dump STATE-NUMBER: how many the walk finds
dump() { awk -v s="$1" '$4 == s { n++ } END { print n + 0 }' /proc/net/xtcp /proc/net/xtcp6; }
now() { awk -v s="$1" '$1 == s { print $2 }' /proc/net/xtcp_states; }

# Reads the file over and over, in one process, since the load leaves little time for more.
sane()
{
	awk 'BEGIN {
		f = "/proc/net/xtcp_states"
		for (r = 0; r < 500; r++) {
			for (n = 0; (getline < f) > 0; n++)
				if (n && ($2 !~ /^[0-9]+$/ || $2 > 1000000 ||
					  ($1 != "CLOSE" && $3 - $4 != $2) || $3 < last[$1])) {
					print
					exit 1
				} else {
					last[$1] = $3
				}
			close(f)
			if (n != 12)
				exit 1
		}
	}'
}

churn()
{
	local load

	build/net/race_stress 6 1 >"$tmp/stress" 2>&1 &
	load=$!
	sane || return
	wait $load || return
	[ "$(awk '$1 == "ESTABLISHED" { print $3 }' /proc/net/xtcp_states)" -gt 50 ]
}

rest()
{
	local names="ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING"
	local i=0 name

	for name in $names; do
		i=$((i + 1))
		[ "$(now $name)" = "$(dump "$(printf %02X $i)")" ] && continue
		echo "$name: $(now $name), the dump has $(dump "$(printf %02X $i)")"
		cat /proc/net/xtcp_states /proc/net/xtcp /proc/net/xtcp6
		return 1
	done
}

# Orphans end, sockets are freed after a grace period: then all is at rest.
settle()
{
	local i

	for ((i = 0; i < 600; i++)); do
		[ "$(cat /sys/module/xtcp/refcnt)" = 0 ] && return
		nap 0.1
	done
	return 1
}

# IPsec's word is the one reason for a drop that no raw test can give. (xfrm needs two hosts.)
policy()
{
	local n

	ip netns add P && ip link add v0 type veth peer name v1 netns P || return
	ip addr add 10.88.0.1/24 dev v0 && ip link set v0 up
	ip -n P addr add 10.88.0.2/24 dev v1 && ip -n P link set v1 up
	ip -n P xfrm policy add dir in src 10.88.0.1 dst 10.88.0.2 proto tcp dport 7 action block
	ip netns exec P build/tools/xtcp-run python3 -c '
import socket, sys
s = socket.create_server(("10.88.0.2", 7)); print(flush=True); sys.stdin.read()' \
		< <(exec tail -f /dev/null --pid=$$) >"$tmp/listening" &
	server=$!
	until [ -s "$tmp/listening" ]; do
		kill -0 $server || return
		nap
	done
	! curl -s --max-time 2 http://10.88.0.2:7/ >/dev/null || return
	n=$(ip netns exec P awk '/^TcpExt/ { if (!h) { for (i = 2; i <= NF; i++) name[i] = $i; h = 1; next }
		for (i = 2; i <= NF; i++) if (name[i] == "DropPolicy") print $i; exit }' /proc/net/xtcp_netstat)
	kill $server
	wait $server 2>/dev/null
	ip netns del P
	echo "DropPolicy $n"
	[ "$n" -ge 1 ]
}

edges()
{
	local d=$INSTANCES/edges reader from to missing=

	mkdir $d || return
	echo 1 >$d/events/xtcp/xtcp_state/enable
	awk 'match($0, /from=[A-Z0-9_]+ to=[A-Z0-9_]+/) { print substr($0, RSTART, RLENGTH) }
	     /LOST/ { print "LOST"; fflush() }' <$d/trace_pipe >"$tmp/edges" &
	reader=$!
	$RAW -f xtcp -i 4 -s "$SLACK" >"$tmp/raw" 2>&1 || { grep -A 3 '^not ok' "$tmp/raw"; }
	settle
	echo 0 >$d/events/xtcp/enable
	nap 0.5
	kill $reader
	cat $d/trace | awk 'match($0, /from=[A-Z0-9_]+ to=[A-Z0-9_]+/) { print substr($0, RSTART, RLENGTH) }' >>"$tmp/edges"
	wait $reader 2>/dev/null
	rmdir $d
	grep -c . "$tmp/edges"
	grep -q LOST "$tmp/edges" && note "events were lost"
	while read -r from to; do
		grep -q "from=$from to=$to\$" "$tmp/edges" && continue
		missing+=" $from:$to"
	done < <(sed -n 's/^XTCP_EDGE(\([A-Z0-9_]*\),[[:space:]]*\([A-Z0-9_]*\),.*/\1 \2/p' include/xtcp/edges.h)
	sort "$tmp/edges" | uniq -c
	[ -z "$missing" ] || { echo "never seen:$missing"; return 1; }
}

insmod /xtcp/xtcp.ko || { echo "Bail out! insmod"; exit 1; }
life 4
life 6
hostile
options
ok "states under churn: never negative, now = entered - left (3-5)" churn
ok "the load ends" settle
ok "states at rest: the dump says the same (3-5 3-6)" rest
if ip xfrm policy >/dev/null 2>&1 && command -v curl >/dev/null; then
	ok "IPsec's refusal is counted (DropPolicy)" policy
else
	skip "IPsec's refusal is counted (DropPolicy)" "no xfrm"
fi
ok "every transition of edges.h shows as a tracepoint" edges
done_testing
