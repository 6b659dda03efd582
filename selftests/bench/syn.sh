#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In a guest, under "selftests/vm/run --icount --mem 2G --no-slub-debug": the
# instructions of one SYN, kept or answered by a cookie, on both families.
insmod /xtcp/xtcp.ko || exit
# What a boot put off is over after that; with --icount idle time costs nothing.
read -r -t 20 <> <(:)
rc=0
for what in request cookie; do
	for family in tcp xtcp; do
		build/bench/syn $what $family || rc=1
	done
done
exit $rc
