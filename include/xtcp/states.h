/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The states of RFC 9293 3.3.2, each fact once. Numbers are Linux's TCP_*
 * (they appear in sk_state, /proc/net/tcp and struct tcp_info), names are the
 * ones /proc readers print.
 *
 * XTCP_STATE(name, number, ss name)
 */
XTCP_STATE(ESTABLISHED,	1,	"ESTABLISHED")
XTCP_STATE(SYN_SENT,	2,	"SYN_SENT")
XTCP_STATE(SYN_RECV,	3,	"SYN_RECV")
XTCP_STATE(FIN_WAIT1,	4,	"FIN_WAIT1")
XTCP_STATE(FIN_WAIT2,	5,	"FIN_WAIT2")
XTCP_STATE(TIME_WAIT,	6,	"TIME_WAIT")
XTCP_STATE(CLOSE,	7,	"CLOSE")
XTCP_STATE(CLOSE_WAIT,	8,	"CLOSE_WAIT")
XTCP_STATE(LAST_ACK,	9,	"LAST_ACK")
XTCP_STATE(LISTEN,	10,	"LISTEN")
XTCP_STATE(CLOSING,	11,	"CLOSING")
