#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=400
#
# Local ports used up for real: the whole default range, threads that race for
# the last ports, and threads that need the same ports for different ends.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh
FULL=build/net/ports_full

load_module || exit 1
for ip in 4 6; do
	ok "two ports, eight destinations at once, IPv$ip" $FULL share xtcp $ip
	ok "the last ports go to somebody, IPv$ip" $FULL race xtcp $ip
	ok "28232 connections to one destination and no more, IPv$ip" $FULL fill xtcp $ip
done
# what the tests think of the kernel's own
ok "kernel TCP: two ports, eight destinations at once" $FULL share tcp 4
ok "no object of the module is left" slab_zero 900
done_testing
