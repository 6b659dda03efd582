#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# pair: nic_a=e1000 nic_b=virtio timeout=240 reboots
#
# Two machines, one of which is reset, and whose cable is pulled.
insmod /xtcp/xtcp.ko || exit 1
exec python3 -B selftests/net/host_peer.py "$XTCP_NAME"
