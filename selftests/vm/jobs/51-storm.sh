#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=4 timeout=400
#
# The syscall storm: threads that make random calls on shared sockets while
# namespaces come and go, devices go down and sysctls change. NUMBER=CALLS SEED=N.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh
NUMBER=${NUMBER:-12000}
SEED=${SEED:-1}

load_module || exit 1
# Where SYNs go and nothing comes back.
ip link add storm0 type dummy && ip addr add 10.77.7.1/24 dev storm0 && ip link set storm0 up
ip -6 addr add fd99::1/64 dev storm0 nodad
storm()
{
	build/net/storm -n "$NUMBER" -s "$SEED" -t "${LIMIT_S:-$((250 * ${XTCP_SLOW:-1}))}" >/tmp/storm 2>&1
}
ok "random calls come back, and did something" storm
note "$(sed 's/^# //' /tmp/storm)"
ok "no object of the module is left" slab_zero 900
ok "the module unloads" rmmod xtcp
done_testing
