#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=4 timeout=600
#
# Directed races on four processors, with a module whose race points wait now and
# then (make module-race, src/module/race.h). Arguments: ITER=10 for a longer run,
# SEED=2 for other moments, PM=300 for more waits, ONLY="name" for one scenario.
. selftests/vm/guest/tap.sh
. selftests/net/kselftest.sh
. selftests/net/interop_lib.sh
MODULE=/xtcp/xtcp-race.ko
PARAMETERS=/sys/module/xtcp/parameters

# Points nobody has passed, neither in the modules unloaded so far nor in this one.
unpassed()
{
	local names

	names=$(awk '{ print $1 }' $PARAMETERS/race_hits) || return
	rmmod xtcp || return
	dmesg | awk -v names="$names" '
		BEGIN { n = split(names, name) }
		sub(/.*xtcp: race points: /, "") { for (i = 1; i <= NF; i++) hits[i] += $i }
		END {
			for (i = 1; i <= n; i++) {
				printf "%s %d\n", name[i], hits[i] >"/tmp/hits"
				if (!hits[i]) print name[i]
			}
		}'
}

# Loading waits for many grace periods: make them short.
echo 1 >/sys/kernel/rcu_expedited
insmod $MODULE race_seed="${SEED:-1}" race_pm="${PM:-100}" race_us="${US:-300}" || exit 1
kselftest build/net/race_smp -m $MODULE -n "${ITER:-1}" -s "${SEED:-1}" ${ONLY:+"$ONLY"}
ok "no object of the module is left" slab_zero 900
if [ -z "${ONLY:-}" ]; then
	is "every race point was passed" "$(unpassed)" ""
	note "passes: $(paste -s -d ' ' /tmp/hits)"
fi
done_testing
