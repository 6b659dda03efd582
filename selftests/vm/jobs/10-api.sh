#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=420
#
# The whole socket API, each call compared with kernel TCP in the same run.
# ONLY="api_io api_poll" runs some of it; DIFF_ONLY=name some scenarios.
. selftests/vm/guest/tap.sh
. selftests/net/kselftest.sh

insmod /xtcp/xtcp.ko || { echo "Bail out! insmod"; exit 1; }
for test in ${ONLY:-${*:-$(cd build/net && ls -d api_* xtcp_*)}}; do
	start=$(date +%s%N)
	kselftest "build/net/$test"
	note "$test took $((($(date +%s%N) - start) / 1000000)) ms"
done

# The examples, which need no more than the public header.
examples()
{
	local port line want got a

	exec {server}< <(exec build/net/echo_server 0 2 2>&1)
	read -r line <&$server
	port=${line##* }
	for a in 127.0.0.1 ::1; do
		want="over $a"
		got=$(build/net/echo_client $a "$port" "$want") || return
		[ "$got" = "$want" ] || return
	done
	read -r line <&$server
	[[ $line = *::ffff:127.0.0.1* ]] || return
	read -r line <&$server
	[[ $line = *::1* ]] || return
	exec {server}<&-
}
[ -n "$ONLY$*" ] || ok "echo client and server" examples
done_testing
