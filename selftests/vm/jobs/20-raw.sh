#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=800
# uml: timeout=900 time-travel=inf-cpu
#
# A raw peer on TUN against the kernel's TCP, which validates the tests, and
# against AF_XTCP: every behaviour on the wire, segment by segment.
[ -e /xtcp/xtcp.ko ] && insmod /xtcp/xtcp.ko || family="-f tcp"
# In User Mode Linux time is virtual: there the tests that wait for hours run, too.
virtual=
grep -q "User Mode Linux" /proc/cpuinfo && virtual=-V
exec build/net/raw_test $virtual -s "${RAW_SLACK_MS:-250}" $family "$@"
