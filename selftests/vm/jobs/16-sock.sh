#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=420
#
# Racing calls and memory limits, each compared with kernel TCP in the same run.
# ONLY="sock_mem" runs some of it; DIFF_ONLY=name some scenarios.
. selftests/vm/guest/tap.sh
. selftests/net/kselftest.sh
. selftests/net/interop_lib.sh

load_module || exit 1
for test in ${ONLY:-${*:-$(cd build/net && ls -d sock_*)}}; do
	kselftest "build/net/$test"
done
ok "no object of the module is left" slab_zero
done_testing
