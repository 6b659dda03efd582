#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# grid.sh LINK: in a guest whose time is virtual, what arrives of four flows of one
# family, then of the other, over
#
#	A -- LINK -- R -- veth -- B
#
# while R delays, loses and reorders single segments (netem, 100 Mbit/s). LINK is
# veth or nic: the guest's first two NICs, which "run --cable" has joined. Then, on
# a bottleneck of 20 Mbit/s, both families beside each other.
#
#	cell LINK ADDRESS DELAY_MS LOSS_% REORDER_% TCP XTCP RATIO	kbit/s
#	fair LINK DELAY_MS FLOWS JAIN KBIT_PER_S...
#
# What chance decides, which is where segments are lost on a long way and how many
# flows meet, is tried ROUNDS times (3), the families in turn: KBIT_PER_S is the mean
# of them, JAIN the mean of each round's own index. DELAYS, LOSSES, REORDERS,
# VERSIONS, TIME (seconds), FAIR (0: none) and FAIR_DELAYS choose others.
set -u
link=$1
shift
for arg in "$@"; do
	export "${arg?}"
done
GOODPUT=build/bench/goodput
RATE=100mbit

# joined A-SIDE R-SIDE: the two ends of the link under test
joined()
{
	local devs

	if [ "$link" = veth ]; then
		ip link add "$1" type veth peer name "$2"
		return
	fi
	mapfile -t devs < <(cd /sys/class/net && ls -d -- */device | cut -d / -f 1)
	ip link set "${devs[0]}" down && ip link set "${devs[0]}" name "$1"
	ip link set "${devs[1]}" down && ip link set "${devs[1]}" name "$2"
}

# device NS NAME NET HOST: up, with addresses, single segments on the wire
device()
{
	ip link set "$2" netns "$1"
	ip netns exec "$1" ethtool -K "$2" tso off gso off gro off >/dev/null 2>&1
	ip -n "$1" addr add "10.88.$3.$4/24" dev "$2"
	ip -n "$1" addr add "fd88:$3::$4/64" dev "$2" nodad
	ip -n "$1" link set "$2" up
}

up()
{
	local n dev

	for n in A R B; do
		ip netns add $n
		ip -n $n link set lo up
	done
	joined va ra
	ip link add rb type veth peer name vb
	device A va 1 1
	device R ra 1 2
	device R rb 2 2
	device B vb 2 1
	ip netns exec R sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ip -n A route add default via 10.88.1.2
	ip -n B route add default via 10.88.2.2
	ip -n A -6 route add default via fd88:1::2
	ip -n B -6 route add default via fd88:2::2
	for dev in A/va R/ra R/rb B/vb; do
		until [ "$(ip netns exec "${dev%/*}" cat "/sys/class/net/${dev#*/}/carrier")" = 1 ]; do
			read -r -t 0.1 <> <(:)
		done
	done
	ip netns exec A ping -q -c 2 10.88.2.1 >/dev/null && ip netns exec A ping -q -c 2 fd88:2::1 >/dev/null
}

# shape DELAY_MS LOSS REORDER RATE LIMIT: half the delay each way, the rest to B only
shape()
{
	local args="rate $4 limit $5" back=() half

	# what is not delayed cannot be overtaken
	half=$(awk -v d="$1" -v r="$3" 'BEGIN { print (r > 0 && d < 2 ? 2 : d) / 2 "ms" }')
	[ "$half" = 0ms ] || { args="delay $half $args"; back=(delay "$half"); }
	[ "$3" = 0 ] || args+=" reorder $3% 0%"
	[ "$2" = 0 ] || args+=" loss $2%"
	# shellcheck disable=SC2086	# words
	tc -n R qdisc replace dev rb root netem $args || exit
	tc -n R qdisc replace dev ra root netem "${back[@]}" limit 10000 || exit
}

# sum of the figures of flows, WARM_UP SECONDS ADDRESS FAMILY
flows()
{
	$GOODPUT -w "$1" -t "$2" A B "$3" "$4" "$4" "$4" "$4" |
		awk '$1 == "goodput" { s += $4 } END { if (NR != 4) exit 1; print s }'
}

cell()
{
	local time=15 warm=5 addr=10.88.2.1 rounds=1 tcp=0 xtcp=0 a b i

	# a full link takes the guest seconds for each of its own, a lossy path needs more of them
	[ "$2" != 0 ] || time=5 warm=2
	[[ $2 = 0 || $3 = 0* ]] || time=40
	[[ $2 = 0 || $3 = 0 ]] || rounds=${ROUNDS:-3}
	[ "$1" = 4 ] || addr=fd88:2::1
	shape "$2" "$3" "$4" $RATE 1000
	for ((i = 0; i < rounds; i++)); do
		a=$(flows $warm "${TIME:-$time}" $addr tcp) && b=$(flows $warm "${TIME:-$time}" $addr xtcp) || exit
		read -r tcp xtcp < <(awk -v n="$rounds" '{ print $1 + $3 / n, $2 + $4 / n }' <<<"$tcp $xtcp $a $b")
	done
	awk -v a="$tcp" -v b="$xtcp" -v what="$link $1 $2 $3 $4" \
		'BEGIN { printf "cell %s %.0f %.0f %.3f\n", what, a, b, a ? b / a : 0 }'
}

# fair DELAY FLOW...: 60 s of all of them at once, a queue as long as delay and rate say
fair()
{
	local delay=$1 limit=$((20000 * $1 / 8 / 1500 + 20)) rounds=1 i

	shift
	[ $# -le 2 ] || rounds=${ROUNDS:-3}
	# netem's limit counts what it delays, too
	shape "$delay" 0 0 20mbit $((limit + limit / 2))
	for ((i = 0; i < rounds; i++)); do
		$GOODPUT -w 10 -t 60 A B 10.88.2.1 "$@" || exit
	done | awk -v what="$link $delay $(tr ' ' , <<<"$*")" -v flows=$# -v rounds="$rounds" '
		$1 == "goodput" { s += $4; q += $4 * $4; sum[n++ % flows] += $4 }
		$1 == "goodput" && n % flows == 0 { jain += s * s / flows / q; s = q = 0 }
		END { if (n != flows * rounds) exit 1
			printf "fair %s %.3f", what, jain / rounds
			for (i = 0; i < flows; i++) printf " %.1f", sum[i] / rounds
			print "" }' || exit
}

echo "kernel $(uname -r)"
insmod /xtcp/xtcp.ko || exit
up || { echo "R does not forward"; exit 1; }
read -r -t 5 <> <(:)
versions=(${VERSIONS:-4 6}) i=0
for delay in ${DELAYS:-0 20 100}; do
	for loss in ${LOSSES:-0 0.1 1 5}; do
		for reorder in ${REORDERS:-0 1}; do
			cell "${versions[i++ % ${#versions[@]}]}" "$delay" "$loss" "$reorder"
		done
		# the next loss the other way round
		[ ${#versions[@]} = 1 ] || i=$((i + 1))
	done
done
if [ "${FAIR:-1}" = 1 ]; then
	for delay in ${FAIR_DELAYS:-20 100}; do
		fair $delay xtcp xtcp
		fair $delay tcp tcp
		fair $delay xtcp tcp
		# who begins last has the most for long, so both orders
		fair $delay xtcp tcp xtcp tcp
		fair $delay tcp xtcp tcp xtcp
		fair $delay tcp tcp tcp tcp
	done
fi
# what was killed ends while there is still a network
read -r -t 60 <> <(:)
ip netns del A
ip netns del R
ip netns del B
