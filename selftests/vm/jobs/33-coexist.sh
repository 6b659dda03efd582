#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=400
# uml: timeout=400 time-travel=inf-cpu
#
# One host, two TCPs: ports, firewall, conntrack, namespaces that die, unloading.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh

load_module || exit 1

# A program that prints TAP of its own becomes one test of ours.
quiet_tap()
{
	local status=0

	"$@" >/tmp/tap.out 2>&1 || status=$?
	grep -v '^ok' /tmp/tap.out
	return $status
}
ok "ports: EADDRINUSE as between two kernel sockets" quiet_tap build/net/raw_coexist ports
ok "no object of the module is left" slab_zero
ok "namespaces die under live traffic" quiet_tap build/net/raw_coexist dying 20
ok "no object of the module is left" slab_zero

# ---- the module and its users
coproc HOLD { exec build/net/raw_load hold; }
hold_pid=$HOLD_PID
read -r _ <&"${HOLD[0]}"
is "rmmod with a socket open" "$(rmmod xtcp 2>&1 | grep -o 'in use')" "in use"
eval "exec ${HOLD[1]}>&-"
wait "$hold_pid"

# TIME-WAIT and half-open entries do not pin it.
half_open()
{
	ip netns exec A iptables -A INPUT -p tcp --tcp-flags SYN,ACK SYN,ACK -j DROP
	server half B --family xtcp --addr 10.88.0.2 --port 7100 || return
	in_ns A $XFER connect --addr 10.88.0.2 --port 7100 --timeout 1
	in_ns B grep -q ' 03 ' /proc/net/xtcp || { echo "no half-open entry"; return 1; }
	kill -9 "${SERVER_PID[half]}"
	wait "${SERVER_PID[half]}"
	return 0
}
timewait()
{
	ip netns exec B sh -c 'echo 60000 >/proc/sys/net/xtcp/tcp_timewait_ms'
	server tw B --family xtcp --addr 10.88.0.2 --port 7101 &&
	in_ns A $XFER get --addr 10.88.0.2 --port 7101 --size 10 &&
	server_end tw &&
	in_ns B grep -q ' 06 ' /proc/net/xtcp
}
unload()
{
	local i

	# a killed process's sockets end after a grace period
	for ((i = 0; i < 50; i++)); do
		rmmod xtcp 2>/tmp/rmmod && return
		read -r -t 0.1 <> <(:)
	done
	cat /tmp/rmmod /proc/net/xtcp
	return 1
}
netns_pair
ok "a TIME-WAIT entry is there" timewait
ok "a half-open entry is there" half_open
ok "rmmod purges them" unload
netns_gone
ok "it loads again" load_module

# ---- firewall and conntrack
# built in, or modules
modprobe -aq nf_conntrack xt_conntrack xt_tcpudp ipt_REJECT ip6t_REJECT xt_owner

# firewall PAIR IP: what rules do to a connect()
firewall()
{
	local s=${1%:*} c=${1#*:} ip=$2 addr tables=iptables status=0
	local port_unreach host_unreach

	addr=10.88.0.2 port_unreach=icmp-port-unreachable host_unreach=icmp-host-unreachable
	if [ "$ip" = 6 ]; then
		addr=fd88::2 tables=ip6tables port_unreach=icmp6-port-unreachable
		host_unreach=icmp6-addr-unreachable
	fi
	local to="--family $c --ip $ip --addr $addr --port 7200"
	local rule="-p tcp --dport 7200 -j"

	expect()
	{
		local want=$1 got ns=$2

		shift 2
		in_ns "$ns" $tables -I "$@" || return
		got=$(in_ns A $XFER connect $to --timeout 20)
		in_ns "$ns" $tables -D "$@"
		[ "$got" = "$want" ] || { echo "$*: $got, not $want"; status=1; }
	}

	server fw B --family "$s" --ip "$ip" --addr $addr --port 7200 || return
	in_ns A sh -c 'for f in /proc/sys/net/*/tcp_syn_retries; do echo 1 >$f; done'
	expect ETIMEDOUT B INPUT $rule DROP
	expect ECONNREFUSED B INPUT $rule REJECT --reject-with tcp-reset
	expect ECONNREFUSED B INPUT $rule REJECT --reject-with $port_unreach
	expect EHOSTUNREACH B INPUT $rule REJECT --reject-with $host_unreach
	expect ETIMEDOUT A OUTPUT -m owner --uid-owner 0 $rule DROP
	expect ETIMEDOUT B OUTPUT -p tcp --sport 7200 -j DROP
	expect 0 B INPUT -p tcp --dport 7201 -j DROP
	server_end fw
	# connect alone, without a word: the server finds that bad, rightly
	return $status
}

# conntrack follows the connection and finds nothing invalid in it
tracked()
{
	local s=${1%:*} c=${1#*:} ip=$2 addr tables=iptables entry invalid status=0
	# On one processor: from two a veth delivers in any order, and what comes
	# after the last ACK meets a closed port, whose RST ends the entry.
	local XFER="taskset -c 0 $XFER"

	addr=10.88.0.2
	[ "$ip" = 4 ] || { addr=fd88::2; tables=ip6tables; }
	in_ns B $tables -I INPUT -m conntrack --ctstate INVALID -j DROP
	in_ns B $tables -I OUTPUT -m conntrack --ctstate INVALID -j DROP
	server ct B --family "$s" --ip "$ip" --addr $addr --port 7300 &&
	in_ns A $XFER put --family "$c" --ip "$ip" --addr $addr --port 7300 --size 200000 &&
	in_ns A $XFER get --family "$c" --ip "$ip" --addr $addr --port 7300 --size 200000 &&
	server_end ct || status=1
	entry=$(in_ns B conntrack -L -f ipv"$ip" -p tcp --orig-port-dst 7300 2>/dev/null)
	echo "$entry"
	[ "$(grep -c 'TIME_WAIT.*ASSURED' <<<"$entry")" = 2 ] || status=1
	invalid=$(in_ns B $tables -nvxL | awk '/INVALID/ { n += $1 } END { print n }')
	[ "$invalid" = 0 ] || { echo "$invalid invalid packets"; status=1; }
	in_ns B $tables -F
	in_ns B conntrack -F 2>/dev/null
	return $status
}

netns_pair
for ip in 4 6; do
	for pair in ${PAIRS:-tcp:xtcp xtcp:tcp xtcp:xtcp}; do
		ok "firewall rules act, $pair, IPv$ip" firewall "$pair" $ip
		ok "conntrack follows, $pair, IPv$ip" tracked "$pair" $ip
	done
done
netns_gone
ok "no object of the module is left" slab_zero
done_testing
