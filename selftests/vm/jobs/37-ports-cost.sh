#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount slub_debug=0 timeout=400
#
# What a connect() costs in instructions while the ports to its destination run
# out, beside kernel TCP in the same boot.
. selftests/vm/guest/tap.sh
. selftests/net/interop_lib.sh

load_module || exit 1
PORTS=${PORTS:-6000}
build/net/ports_full fill tcp 4 0 "$PORTS"
for ip in 4 6; do
	build/net/ports_full fill xtcp $ip 130 "$PORTS"
	is "connect() costs the same with 99.9 % of the ports taken, IPv$ip" $? 0
done
done_testing
