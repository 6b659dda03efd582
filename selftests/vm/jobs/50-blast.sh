#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=400
#
# The segment blaster: mutated and random segments, fragments and ICMP errors at
# listeners, half-open requests, connections in every state and TIME-WAIT, while
# good connections transfer. NUMBER=SEGMENTS SEED=N for other and longer runs.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh
NUMBER=${NUMBER:-20000}
SEED=${SEED:-1}

load_module || exit 1
blast()
{
	build/net/blast -n "$NUMBER" -s "$SEED" -t "${LIMIT_S:-$((250 * ${XTCP_SLOW:-1}))}" >/tmp/blast 2>&1
}
ok "good connections live through it, the rest is counted" blast
note "$(sed 's/^# //' /tmp/blast)"
ok "no object of the module is left" slab_zero 900
ok "the module unloads" rmmod xtcp
done_testing
