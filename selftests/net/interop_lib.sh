# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the interop and coexistence jobs share: two namespaces joined by a veth,
# servers awaited by what they say, the module's slab caches. Source it after
# tap.sh.
# A job's arguments NAME=VALUE set variables: PAIRS=tcp:tcp XTCP_NO_MODULE=1
# checks the job itself on the kernel's TCP. Other arguments are names of tests,
# for run().
WANTED=
for arg in "$@"; do
	case $arg in
	*=*) export "${arg?}" ;;
	*) WANTED+=" $arg" ;;
	esac
done
XFER=build/net/raw_xfer
declare -A SERVER_PID SERVER_OUT

# The knobs of a namespace: TIME-WAIT short, so that its end can be awaited.
netns_knobs()
{
	ip netns exec "$1" sh -c '[ ! -d /proc/sys/net/xtcp ] ||
		echo 200 >/proc/sys/net/xtcp/tcp_timewait_ms'
}

# Namespaces A and B, 10.88.0.1/2 and fd88::1/2, devices va and vb.
netns_pair()
{
	ip netns add A
	ip netns add B
	ip link add va netns A type veth peer name vb netns B
	local n addr=1

	for n in A B; do
		ip -n $n link set lo up
		ip -n $n addr add 10.88.0.$addr/24 dev v${n,}
		ip -n $n addr add fd88::$addr/64 dev v${n,} nodad
		ip -n $n link set v${n,} up
		netns_knobs $n
		addr=2
	done
}

netns_gone()
{
	ip netns del A
	ip netns del B
}

in_ns()
{
	local ns=$1

	shift
	ip netns exec "$ns" "$@"
}

# The same in place of the shell that calls it, which must be a subshell.
ns_exec()
{
	exec ip netns exec "$@"
}

# run NAME CMD...: ok, unless other tests are wanted
run()
{
	local name=$1

	shift
	[ -z "$WANTED" ] || [[ "$WANTED " = *" $name "* ]] || return 0
	ok "$name" "$@"
}

both()
{
	in_ns A "$@" && in_ns B "${@/va/vb}"
}

# count NS FAMILY NAME: a counter of the stack, or of IP ("ip")
count()
{
	local files=/proc/net/xtcp_netstat

	[ "$2" = xtcp ] || files="/proc/net/netstat /proc/net/snmp"
	in_ns "$1" awk -v want="$3" '
		!($1 in head) { head[$1] = $0; next }
		{ split(head[$1], name); for (i = 2; i <= NF; i++) if (name[i] == want) n = $i
		  delete head[$1] }
		END { print n + 0 }' $files
}

# server NAME NS ARGS...: start a raw_xfer server, return when it listens.
server()
{
	local name=$1 ns=$2 fifo line

	shift 2
	fifo=$(mktemp -u)
	mkfifo "$fifo"
	ns_exec "$ns" $XFER serve "$@" >"$fifo" 2>&1 &
	SERVER_PID[$name]=$!
	exec {SERVER_OUT[$name]}<"$fifo"
	rm "$fifo"
	read -r line <&"${SERVER_OUT[$name]}"
	[ "$line" = ready ] || { note "server $name: $line"; return 1; }
}

# End it; fails if it saw anything bad.
server_end()
{
	local name=$1 status=0

	kill "${SERVER_PID[$name]}" 2>/dev/null
	cat <&"${SERVER_OUT[$name]}"
	wait "${SERVER_PID[$name]}" || status=$?
	exec {SERVER_OUT[$name]}<&-
	return $status
}

# Run commands at the same time; fails if one does.
together()
{
	local pids=() pid status=0 cmd

	for cmd in "$@"; do
		$cmd &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || status=$?
	done
	return $status
}

# Objects of the module's caches; slub_debug makes the count exact.
slab_objects()
{
	awk '/^xtcp/ { n += $2 } END { print n + 0 }' /proc/slabinfo
}

# Wait until the module holds no object: TIME-WAIT, orphans and RCU take a while.
slab_zero()
{
	local i ns

	[ "$XTCP_NO_MODULE" != 1 ] || return 0
	for ((i = 0; i < ${1:-300}; i++)); do
		[ "$(slab_objects)" = 0 ] && return
		read -r -t 0.1 <> <(:)
	done
	grep ^xtcp /proc/slabinfo
	for ns in $(ip netns list | cut -d ' ' -f 1); do
		note "namespace $ns"
		in_ns "$ns" cat /proc/net/xtcp /proc/net/xtcp6
	done
	cat /proc/net/xtcp /proc/net/xtcp6
	return 1
}

load_module()
{
	[ "$XTCP_NO_MODULE" = 1 ] || insmod /xtcp/xtcp.ko "$@"
}
