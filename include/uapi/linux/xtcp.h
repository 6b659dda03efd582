/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * xtcp: an alternative, wire-compatible TCP for Linux. Everything a program
 * needs to use it.
 *
 *	int fd = socket(AF_XTCP, SOCK_STREAM, XTCP_PROTO_IPV4);
 *
 * then bind(), listen(), connect() ... exactly as for AF_INET. Addresses going
 * in may say AF_INET, AF_INET6 or AF_XTCP (which then means the socket's own
 * address family); addresses coming out say AF_INET or AF_INET6. All SOL_SOCKET,
 * IPPROTO_IP, IPPROTO_IPV6 and IPPROTO_TCP (SOL_TCP) options keep their Linux
 * names, levels and meanings.
 */
#ifndef _UAPI_LINUX_XTCP_H
#define _UAPI_LINUX_XTCP_H

#include <linux/types.h>

/**
 * AF_XTCP - address family, first argument of socket().
 *
 * A slot below AF_MAX that no in-tree kernel code implements. A module
 * parameter (family=) can move it, should a kernel ever take the slot.
 */
#define AF_XTCP			18
#define PF_XTCP			AF_XTCP

/* Third argument of socket(AF_XTCP, SOCK_STREAM, ...). */
#define XTCP_PROTO_IPV4		0	/* IPv4 */
#define XTCP_PROTO_IPV6		1	/* IPv6, dual stack unless IPV6_V6ONLY */

/**
 * IPPROTO_XTCP - for programs that insist on their own family:
 * socket(AF_INET or AF_INET6, SOCK_STREAM, IPPROTO_XTCP). What SO_PROTOCOL
 * reports. On the wire the protocol is 6, TCP.
 */
#define IPPROTO_XTCP		261

/*
 * Options of AF_XTCP alone: level SOL_XTCP. All are ints unless a struct is
 * named; a wrong value is EINVAL, a wrong length EINVAL. Children inherit them
 * from their listener.
 */
#define SOL_XTCP		IPPROTO_XTCP

/**
 * XTCP_TIMEWAIT_MS - 2MSL of this socket, ms, 0 (no TIME_WAIT) to 86400000;
 * -1 (default): net.xtcp.tcp_timewait_ms at the time of closing.
 */
#define XTCP_TIMEWAIT_MS	1
/**
 * XTCP_CONNECT_TIMEOUT_MS - connect() fails with ETIMEDOUT exactly so many ms
 * after its first SYN, whatever the SYN schedule; 0 (default): by the schedule.
 * Counts for the next connect().
 */
#define XTCP_CONNECT_TIMEOUT_MS	2
/**
 * XTCP_INIT_RTO_MS - first retransmission timeout of this socket's SYN, and of
 * SYN-ACKs if it listens, ms, 10 to 60000; 0 (default): the sysctls.
 */
#define XTCP_INIT_RTO_MS	3
/**
 * XTCP_ORPHAN_RETRIES - retransmissions after close(), 0 to 255 (0 means 8 as in
 * the sysctl); -1 (default): net.xtcp.tcp_orphan_retries.
 */
#define XTCP_ORPHAN_RETRIES	4
/**
 * XTCP_SYNCOOKIES - of a listener: 0, 1, 2 as net.xtcp.tcp_syncookies; -1
 * (default): the sysctl.
 */
#define XTCP_SYNCOOKIES		5
/**
 * XTCP_ABORT_ON_OVERFLOW - of a listener: a third ACK that finds the accept
 * queue full is 0 ignored, 1 answered with RST; -1 (default):
 * net.xtcp.tcp_abort_on_overflow.
 */
#define XTCP_ABORT_ON_OVERFLOW	6
/**
 * XTCP_LISTEN_INFO - of a listener, read only: struct xtcp_listen_info. EINVAL on
 * other sockets.
 */
#define XTCP_LISTEN_INFO	7

/**
 * XTCP_ZEROCOPY - SO_ZEROCOPY under another name, 0 (default) or 1: kernels
 * before 6.7 refuse that one (EOPNOTSUPP) to protocols they do not know.
 */
#define XTCP_ZEROCOPY		8

/**
 * struct xtcp_listen_info - a listener's two queues, limits as they really are
 * @accept_len: connections ready for accept()
 * @accept_max: how many the queue really holds (backlog, somaxconn and the one more)
 * @request_len: half-open requests
 * @request_max: how many there can be before SYNs are dropped or answered with cookies
 * @overflows: third ACKs that found the accept queue full
 * @drops: SYNs and third ACKs dropped, for whatever reason
 * @cookies_sent: SYN cookies sent
 * @cookies_recv: connections made from cookies
 */
struct xtcp_listen_info {
	__u32 accept_len, accept_max;
	__u32 request_len, request_max;
	__u64 overflows, drops;
	__u64 cookies_sent, cookies_recv;
};

#endif /* _UAPI_LINUX_XTCP_H */
