/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A hostile or lossy peer on a TUN device, played with hand-made segments
 * against the stack under test ("sut"): the kernel's TCP, which validates the
 * test's own assumptions, or AF_XTCP.
 *
 * Each test is a process in a network namespace of its own. Segments are
 * written in a small language, sequence numbers relative to the two initial
 * ones, so that a test reads like a packet trace:
 *
 *	peer_tx(p, "S mss=1460 sackok");
 *	peer_rx(p, 1000, "SA ack=1 mss=1460");
 *	peer_tx(p, "A");
 *
 * The first word is the flags, letters of "FSRPAUEC" (E is ECE, C is CWR) or "-" for none; in
 * peer_rx() P is compared only if it is asked for. Then name=value:
 *
 *	seq=N ack=N		relative to the sender's / the other end's ISN;
 *				tx default: the next one, the highest seen
 *	len=N			payload bytes, filled with and checked against
 *				the stream's pattern
 *	win=N urg=N mss=N ws=N	header and option fields; in rx also name>N
 *	sackok ts nots nomss nows nosackok nosack
 *	tsval=N ecr=N		absolute
 *	sack=L-R		relative, may repeat, in order
 *	ecn=N			the ECN field of the IP header: 2 ECT(0), 3 CE
 *	tos=N			the octet it is part of, IPv6's traffic class
 *	badcsum doff=N sport=N dport=N		tx only: wrong on purpose
 *	skip			rx only: pass over pure ACKs before it
 */
#ifndef RAW_PEER_H
#define RAW_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "packet.h"

#define OPT_MSS		0x01
#define OPT_WS		0x02
#define OPT_SACKOK	0x04
#define OPT_TS		0x08
#define OPT_SACK	0x10

struct segment {
	u64 at_us;
	u32 seq, ack;
	u16 sport, dport, win, urg, mss;
	u8 flags, doff, opts, ws, n_sack;
	bool bad_csum;
	u32 tsval, tsecr;
	struct { u32 l, r; } sack[4];
	int len;		/* payload */
	u8 *data;		/* points into ip[] for received segments */
	int ip_len;
	u8 tos, ttl;
	bool df;
	u8 ip[];		/* received segments: the whole packet */
};

/* One connection as the peer sees it. */
struct peer {
	u16 port, sut_port;
	u32 isn, nxt;		/* peer's first sequence number, next to send */
	u32 sut_isn, sut_nxt;	/* sut's, highest end seen */
	bool sut_known;
	u16 win;
	bool ts;		/* every segment carries timestamps */
	u32 ts_shift;		/* added to the peer's clock */
	u32 sut_tsval;
	int fd, lfd;		/* sut's connection and listener, or -1 */
	u32 wr_off, rd_off;	/* sut's stream positions */
	struct segment *last;	/* what peer_rx() returned last */
};

struct raw_env {
	bool xtcp, v6;
	int tun, mtu;
	int slack_ms;		/* tolerance for late timers on slow machines */
	u8 spoof;		/* last byte of the peer's address, 0: its own */
	int linear;		/* what we send has so many bytes in its skb's head, 0: all */
	bool virt;		/* computing takes no time here, waiting costs none */
};

extern struct raw_env raw;

/* ---- raw_peer.c: device, packets, log */
void raw_init(void);
void raw_set_mtu(int mtu);
/* GSO of the device off, as "ethtool -K raw0 gso off". */
void raw_gso_off(void);
void raw_send_segment(const struct segment *seg);
struct segment *raw_recv_segment(u16 sut_port, u16 peer_port, int timeout_ms);
void raw_send_icmp(const struct segment *about, int type4, int code4,
		   int type6, int code6, u32 mtu);
void raw_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void raw_log_dump(void);
/* while thousands of segments come and go */
void raw_log_pause(bool pause);
u64 raw_now_us(void);
void raw_log_segment(const char *dir, const struct segment *seg);
/* 0 if the TCP (and IPv4) checksums of a whole packet are right */
int raw_verify(const u8 *ip, int len);

/* called by raw_exit(), if set */
extern void (*raw_at_exit)(void);
void raw_exit(int status) __attribute__((noreturn));
/* the stack under test has not got what the test is about */
void raw_skip(const char *why) __attribute__((noreturn));
#define RAW_SKIP 4	/* exit status */
void raw_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));
#define FAIL(...) raw_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(c) do { if (!(c)) FAIL("not true: %s", #c); } while (0)
#define CHECK_EQ(a, b) do {						\
	long long _a = (a), _b = (b);					\
	if (_a != _b)							\
		FAIL("%s is %lld, not %lld", #a, _a, _b);		\
} while (0)
#define CHECK_RANGE(v, lo, hi) do {					\
	long long _v = (v), _l = (lo), _h = (hi);			\
	if (_v < _l || _v > _h)						\
		FAIL("%s is %lld, not in %lld..%lld", #v, _v, _l, _h);	\
} while (0)
/*
 * a measured time in ms: late by the machine's slack at most; a first segment
 * that is seen late makes a gap look shorter
 */
#define CHECK_MS(v, lo, hi) CHECK_RANGE(v, (lo) - raw.slack_ms / 5, (hi) + raw.slack_ms)

/* payload byte at stream offset off, of both directions */
u8 raw_pattern(u32 off);

/* ---- raw_script.c: the language and the conversations all tests need */
void peer_init(struct peer *p);
void peer_tx(struct peer *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
struct segment *peer_rx(struct peer *p, int timeout_ms, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
struct segment *peer_rx_any(struct peer *p, int timeout_ms);
void peer_rx_none(struct peer *p, int quiet_ms);
/* ms between two segments */
long seg_gap_ms(const struct segment *a, const struct segment *b);
/* take p->last out of the peer's hands, so that it survives the next rx */
struct segment *peer_keep(struct peer *p);

int sut_socket(void);
void sut_listen(struct peer *p, int backlog);
int sut_accept(struct peer *p);
void sut_connect(struct peer *p);
/* handshakes; opts are appended to the peer's SYN or SYN-ACK */
void open_passive(struct peer *p, const char *opts);
void open_active(struct peer *p, const char *opts);
void sut_write(struct peer *p, int len);
void sut_read(struct peer *p, int len);
void sut_eof(struct peer *p);
/* the error the next read reports */
int sut_read_errno(struct peer *p, int timeout_ms);
int sut_connect_errno(struct peer *p, int timeout_ms);
int sut_poll(int fd, short events, int timeout_ms);
void sut_close(struct peer *p);
void sut_shutdown(struct peer *p);
void sut_opt(int fd, int level, int name, int value);
void sut_linger(int fd, int on, int seconds);

/* ---- raw_state.c: what the stack shows of itself */
bool sut_sysctl(const char *name, const char *value);
/* a TCP_* state, 0 if there is none */
int sut_state(struct peer *p);
void sut_wait_state(struct peer *p, int state, int timeout_ms);
/* a counter by its nstat name; -1 if there is no such */
long sut_mib(const char *name);
/* objects in use of a slab cache, of all namespaces; -1: no such file or cache */
long sut_slab_objects(const char *name);
/* number of rows of /proc/net/tcp or xtcp in a state */
int sut_count_state(int state);

enum {
	ST_NONE, ST_ESTABLISHED, ST_SYN_SENT, ST_SYN_RECV, ST_FIN_WAIT1,
	ST_FIN_WAIT2, ST_TIME_WAIT, ST_CLOSE, ST_CLOSE_WAIT, ST_LAST_ACK,
	ST_LISTEN, ST_CLOSING
};

/* ---- raw_trace.c: the tracepoints of AF_XTCP in this namespace */
void raw_trace_hold(bool on);
void raw_trace_start(void);
void raw_trace_clear(void);
int raw_trace_count(const char *event, const char *text);

/* ---- raw_main.c: the tests */
#define T_TCP	0x1	/* holds for the kernel's TCP */
#define T_XTCP	0x2	/* holds for AF_XTCP */
#define T_BOTH	(T_TCP | T_XTCP)
#define T_V4	0x4	/* IPv4 only */
#define T_V6	0x8	/* IPv6 only */
#define T_LONG	0x10	/* hours, or gaps below a slow machine's slack: where time is virtual */

struct raw_test {
	const char *name, *source;
	void (*run)(struct peer *p);
	int flags;
	struct raw_test *next;
};

void raw_register(struct raw_test *t);

#define RAW_TEST(_name, _source, _flags)				\
	static void test_##_name(struct peer *p);			\
	static struct raw_test rec_##_name = {				\
		.name = #_name, .source = _source,			\
		.run = test_##_name, .flags = _flags,			\
	};								\
	static void __attribute__((constructor)) reg_##_name(void)	\
	{								\
		raw_register(&rec_##_name);				\
	}								\
	static void test_##_name(struct peer *p)

#endif /* RAW_PEER_H */
