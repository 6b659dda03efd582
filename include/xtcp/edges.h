/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every transition the engine may take: RFC 9293 figure 5 plus the aborts of
 * 3.10. xtcp_state_set() refuses (and the tests count) any pair that is not a
 * row here. A passive open's SYN_RECV lives in a half-open request, so a
 * connection born from one starts in SYN_RECV without an edge from LISTEN.
 *
 * XTCP_EDGE(from, to, why)
 */
XTCP_EDGE(CLOSE,	SYN_SENT,	"active open")
XTCP_EDGE(CLOSE,	LISTEN,		"passive open")
XTCP_EDGE(CLOSE,	SYN_RECV,	"third segment of a passive open")
XTCP_EDGE(LISTEN,	CLOSE,		"close")
XTCP_EDGE(SYN_SENT,	SYN_RECV,	"simultaneous open")
XTCP_EDGE(SYN_SENT,	ESTABLISHED,	"SYN-ACK")
XTCP_EDGE(SYN_SENT,	CLOSE,		"refused, timed out, closed")
XTCP_EDGE(SYN_RECV,	ESTABLISHED,	"ACK of our SYN")
XTCP_EDGE(SYN_RECV,	FIN_WAIT1,	"close before the ACK of our SYN")
XTCP_EDGE(SYN_RECV,	CLOSE,		"reset, timed out, aborted")
XTCP_EDGE(ESTABLISHED,	FIN_WAIT1,	"close")
XTCP_EDGE(ESTABLISHED,	CLOSE_WAIT,	"FIN")
XTCP_EDGE(ESTABLISHED,	CLOSE,		"reset, timed out, aborted")
XTCP_EDGE(FIN_WAIT1,	FIN_WAIT2,	"ACK of our FIN")
XTCP_EDGE(FIN_WAIT1,	CLOSING,	"FIN")
XTCP_EDGE(FIN_WAIT1,	TIME_WAIT,	"FIN with the ACK of ours")
XTCP_EDGE(FIN_WAIT1,	CLOSE,		"reset, timed out, aborted")
XTCP_EDGE(FIN_WAIT2,	TIME_WAIT,	"FIN")
XTCP_EDGE(FIN_WAIT2,	CLOSE,		"reset, timed out, aborted")
XTCP_EDGE(CLOSING,	TIME_WAIT,	"ACK of our FIN")
XTCP_EDGE(CLOSING,	CLOSE,		"reset, timed out, aborted")
XTCP_EDGE(CLOSE_WAIT,	LAST_ACK,	"close")
XTCP_EDGE(CLOSE_WAIT,	CLOSE,		"reset, timed out, aborted")
XTCP_EDGE(LAST_ACK,	CLOSE,		"ACK of our FIN, reset, timed out")
XTCP_EDGE(TIME_WAIT,	CLOSE,		"2MSL")
