#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In a guest: AF_XTCP and kernel TCP in turns, over loopback and over a veth
# between two namespaces. "count" as argument: in instructions, for
# selftests/vm/run --icount; else as rates. Further arguments go to speed.
XTCP_BENCH_ARGS=("$@")
set --
. selftests/net/interop_lib.sh
set -- "${XTCP_BENCH_ARGS[@]}"
mode=()
if [ "${1:-}" = count ]; then
	mode=(--count)
	shift
fi
insmod /xtcp/xtcp.ko || exit
sysctl -q net.ipv4.tcp_max_tw_buckets=200000
netns_pair
# What a boot put off is over after that; with --icount idle time costs nothing.
[ ${#mode[@]} = 0 ] || read -r -t 20 <> <(:)
speed()
{
	build/bench/speed "${mode[@]}" "$@" || echo "failed: speed $*"
}
veth=(--ns A B --addr 10.88.0.2)
speed "$@" crr rr bulk small flow
speed "$@" "${veth[@]}" --port 8000 crr rr bulk small flow
