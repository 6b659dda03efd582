#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount timeout=1200
# uml: timeout=900 time-travel=inf-cpu
#
# A raw peer on TUN against the kernel's TCP, which validates the tests, and
# against AF_XTCP: every behaviour on the wire, segment by segment. In both kinds of
# guest time is virtual, so that no limit depends on who else is busy.
[ -e /xtcp/xtcp.ko ] && insmod /xtcp/xtcp.ko || family="-f tcp"
# In User Mode Linux computing takes no time either: there the tests that wait for
# hours run, too, and those whose gaps are shorter than what computing takes.
virtual=
grep -q "User Mode Linux" /proc/cpuinfo && virtual=-V
exec build/net/raw_test $virtual -s "${RAW_SLACK_MS:-250}" $family "$@"
