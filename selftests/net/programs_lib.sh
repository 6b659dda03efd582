# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For the job that runs unmodified programs: two netns, A (clients) and B
# (servers), joined by a veth; servers and clients on kernel TCP or AF_XTCP.
WWW=/tmp/www
declare -A ADDR=([veth4]=10.99.0.2 [veth6]=fd99::2 [lo4]=127.0.0.1 [lo6]=::1)

# warm PROGRAM...: read from the disk, with their libraries. In virtual time a task that
# pages in its code after it has connected would find the server's patience over.
warm()
{
	local prog

	for prog; do
		prog=$(readlink -f "$(command -v "$prog")") || return
		ldd "$prog" | grep -o '/[^ ]*' | xargs cat "$prog" || return
	done >/dev/null
}

# The same of Python, with the modules of its own.
warm_python()
{
	warm python3 && find /usr/lib/python3* -maxdepth 2 -type f -name '*.so' -exec cat {} + >/dev/null &&
		python3 -c 'import select, socket, struct, sys, threading, time'
}

programs_setup()
{
	local ns

	for ns in A B; do
		ip netns add $ns && ip -n $ns link set lo up || return
	done
	ip link add va netns A type veth peer name vb netns B || return
	ip -n A addr add 10.99.0.1/24 dev va
	ip -n B addr add 10.99.0.2/24 dev vb
	ip -n A addr add fd99::1/64 dev va nodad
	ip -n B addr add fd99::2/64 dev vb nodad
	ip -n A link set va up && ip -n B link set vb up || return
	mkdir -p $WWW
	head -c 10000000 /dev/urandom >$WWW/big
	for ((i = 0; i < 20; i++)); do
		head -c $((i * 777)) /dev/urandom >$WWW/page$i
	done
	chmod -R a+rX $WWW
	(cd $WWW && sha256sum big page* >/tmp/sums)
}

# The netns of the client: A over the veth, B itself over loopback.
client_ns()
{
	case $1 in
	lo*) echo B ;;
	*) echo A ;;
	esac
}

# ns_command NETNS STACK COMMAND...: sets CMD, so that a job in the background is
# the program itself and not a shell around it.
ns_command()
{
	CMD=(ip netns exec "$1")
	[ "$2" != xtcp ] || CMD+=(build/tools/xtcp-run)
	CMD+=("${@:3}")
}

in_ns()
{
	ns_command "$@"
	"${CMD[@]}"
}

# Until somebody listens on PORT of B over STACK; a minute is far too long.
# Behind an AF_XTCP listener the kernel's table shows its shadow, so the other
# table proves the stack.
await_listener()
{
	local stack=$1 hex i

	hex=$(printf ':%04X 0*:0000 0A' "$2")
	for ((i = 0; i < 600; i++)); do
		if ip netns exec B cat "/proc/net/$stack" "/proc/net/${stack}6" 2>/dev/null |
		   grep -q "$hex"; then
			return 0
		fi
		sleep 0.1
	done
	echo "nobody listens on port $2 over $stack"
	return 1
}

# serve STACK PORT COMMAND...: in the background, until "unserve".
SERVER=
serve()
{
	local stack=$1 port=$2

	shift 2
	ns_command B "$stack" "$@"
	"${CMD[@]}" >/tmp/server.log 2>&1 </dev/null &
	SERVER=$!
	await_listener "$stack" "$port" || { cat /tmp/server.log; unserve; return 1; }
}

unserve()
{
	kill "$SERVER" 2>/dev/null
	wait "$SERVER" 2>/dev/null
	SERVER=
	return 0
}

# Connections opened over AF_XTCP in NETNS so far.
active_opens()
{
	ip netns exec "$1" awk '/^TcpExt: [A-Z]/ { for (i = 2; i <= NF; i++) col[i] = $i }
		/^TcpExt: [0-9]/ { for (i = 2; i <= NF; i++)
			if (col[i] == "ActiveOpens") print $i }' /proc/net/xtcp_netstat
}

# with PROGRAM COMBINATIONS...: SERVER:CLIENT:PATH, each calls test_PROGRAM.
# The counter proves which stack the client used.
with()
{
	local program=$1 combo server client path ns before after start

	shift
	for combo in "$@"; do
		IFS=: read -r server client path <<<"$combo"
		ns=$(client_ns "$path")
		before=$(active_opens "$ns")
		start=$(date +%s%N)
		ok "$program: server on $server, client on $client, $path" \
			"test_$program" "$server" "$client" "$ns" "${ADDR[$path]}"
		note "took $((($(date +%s%N) - start) / 1000000)) ms"
		after=$(active_opens "$ns")
		if [ "$client" = xtcp ]; then
			ok "$program: the client was on AF_XTCP" [ "$after" -gt "$before" ]
		elif [ "$server" = tcp ] || [ "$ns" = A ]; then
			is "$program: the client was on kernel TCP" "$after" "$before"
		fi
	done
}

# An address as it stands in a URL.
host()
{
	case $1 in
	*:*) echo "[$1]" ;;
	*) echo "$1" ;;
	esac
}
