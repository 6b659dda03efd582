#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# uml: timeout=600 time-travel=inf-cpu
#
# The raw peer's tests of lives that meet, with a flow table of one bucket: all stand in
# one chain, and what is found by a wrong hash is found for certain. Lockdep's kernel
# says so.
insmod /xtcp/xtcp.ko flow_buckets=1 || { echo "Bail out! insmod"; exit 1; }
exec build/net/raw_test -s "${RAW_SLACK_MS:-250}" -f xtcp -t '[bt][aw]*_*'
