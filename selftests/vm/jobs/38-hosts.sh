#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# uml: timeout=600 time-travel=inf-cpu
#
# Two hosts on a cable that the test holds: lost segments, hosts that restart
# or die, floods, a fleet that shares its cookie key.
[ "$1" = tcp ] && shift || insmod /xtcp/xtcp.ko || exit 1
exec python3 -B selftests/net/host_cable.py "$@"
