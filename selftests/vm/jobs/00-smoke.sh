#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=120
# uml: timeout=300
#
# The module goes in and out, says what it is, and leaves nothing.
. selftests/vm/guest/tap.sh
ko=/xtcp/xtcp.ko

plan 12
is "licence" "$(modinfo -F license $ko)" GPL
is "version is the package's" "$(modinfo -F version $ko)" \
	"$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)"
ok "describes itself" test -n "$(modinfo -F description $ko)"
family=$(sed -n 's/^#define AF_XTCP[^0-9]*\([0-9]*\).*/\1/p' include/uapi/linux/xtcp.h)
ok "socket() finds it (alias net-pf-$family)" \
	grep -qw "net-pf-$family" <<<"$(modinfo -F alias $ko)"
params=$(modinfo -p $ko)
is "every parameter is described" \
	"$(grep -c ':[^ ].* ([a-z]*)$' <<<"$params")" "$(wc -l <<<"$params")"
ok "insmod" insmod $ko
ok "sysctls are there" test -e /proc/sys/net/xtcp/tcp_syn_retries
ok "/proc/net/xtcp is there" grep -q local_address /proc/net/xtcp
ok "rmmod" rmmod xtcp
ok "sysctls are gone" test ! -e /proc/sys/net/xtcp

rounds()
{
	local i

	for ((i = 0; i < 20; i++)); do
		insmod $ko && rmmod xtcp || return
	done
}
ok "20 times in and out" rounds

# Installed, socket() loads it by itself.
autoload()
{
	local dir=/lib/modules/$(uname -r)/extra

	mkdir -p "$dir" && cp $ko "$dir/" && depmod "$(uname -r)" || return
	[ -x /sbin/modprobe ] || return
	timeout 20 python3 -c "import socket; socket.socket($family, socket.SOCK_STREAM, 0).close()"
}
ok "socket(AF_XTCP) loads an installed module" autoload
done_testing
