#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# uml: timeout=300
#
# haproxy over xtcp-run. It needs cmpxchg16b, which the emulated processor of
# the other jobs lacks; in User Mode Linux it runs on the real one.
exec env ONLY=haproxy selftests/vm/jobs/15-programs.sh
