#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=1 timeout=120
#
# xtcp-run and its library, without the module and then with it.
selftests/net/preload_test.sh >/tmp/without 2>&1
without=$?
insmod /xtcp/xtcp.ko || { echo "Bail out! insmod"; exit 1; }
selftests/net/preload_test.sh
with=$?
sed 's/^/# without the module: /' /tmp/without
if [ $without != 0 ]; then
	echo "# the test without the module failed"
	exit 1
fi
exit $with
