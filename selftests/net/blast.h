/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The segment blaster. Two namespaces, each with a TUN device, and this program
 * as the wire between them: A (address .1) is blasted most, B (.2) talks to it.
 *
 *	blast_wire.c	devices, packets made, taken apart and checked
 *	blast_mutate.c	what can be wrong with a segment
 *	blast_prey.c	connections led into a state and then shot at with anything
 *	blast_good.c	connections that transfer data, and shots at them that a
 *			TCP as RFC 9293, 5961 and 7323 want it must survive
 *	blast.c		who is next; the verdict
 *
 * One thread sends all the segments and draws all their random numbers, so the
 * seed decides what is sent, as far as it does not depend on the answers.
 */
#ifndef BLAST_H
#define BLAST_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "packet.h"

/* Last bytes of addresses in 10.99.0.0/24 and fd99::/64. */
#define HOST_A		1
#define HOST_B		2
#define HOST_PREY	3	/* first of those the blaster plays itself */
#define HOST_RANDOM	100	/* first of those nobody answers for */

#define PORT_GOOD	7000
#define PORT_PREY	7001
#define PORT_COOKIE	7002	/* its listener answers with cookies only */

#define MAX_PKT		66000
#define MAX_DATA	65000

enum shape {
	SHAPE_PLAIN,
	SHAPE_FRAGS,		/* in order, shuffled, some twice or missing */
	SHAPE_EXT,		/* IPv4 options, IPv6 extension headers */
	SHAPE_SHORT,		/* the device delivers less than IP says */
	NR_SHAPES
};

struct seg {
	bool v6;
	u8 src, dst;
	u16 sport, dport;
	u32 seq, ack;
	u16 flags;		/* with the four reserved bits */
	u16 win, urg;
	u8 opt[40];
	int opt_len;
	int doff;		/* -1: as it should be */
	int len;		/* payload */
	int cut;		/* -1, or bytes of the TCP segment that are sent */
	u16 csum_xor;
	u8 tos, ttl;
	enum shape shape;
};

/* A segment that the stack under test sent. */
struct heard {
	bool v6;
	u8 src, dst;
	u16 sport, dport;
	u32 seq, ack, end;
	u8 flags;
	u16 win;
	int ws;			/* -1: no option */
	bool ts;
	u32 tsval;
	const u8 *pkt;
	int pkt_len;
};

struct blast {
	u64 seed, wanted;
	atomic_ullong sent;	/* by the one who shoots; read by all */
	int tun[2];		/* of A and B */
	int ns_b;
	u64 heard;		/* segments of the stack under test */
	u64 bad_csum;		/* sent to A's listeners with a wrong checksum, headers whole */
};

extern struct blast blast;

void __attribute__((format(printf, 1, 2), noreturn)) blast_die(const char *fmt, ...);

/* blast_wire.c */
u32 rnd(u32 n);			/* 0 ... n - 1; 0 means 2^32 */
bool one_in(u32 n);
/* an address of ours and a port; returns its length */
socklen_t wire_address(struct sockaddr_in6 *a, bool v6, u8 host, u16 port);
void wire_init(void);
void wire_send(int host, const struct seg *s);
void wire_icmp(int host, const u8 *quoted, int len, bool v6);
void wire_pass(int host, const u8 *pkt, int len);
bool wire_hear(int host, struct heard *h);
void wire_wait(int ms);
int seg_opt_ts(u8 *o, u32 val, u32 ecr);

/* blast_mutate.c */
void mutate(struct seg *s);
void mutate_harmless(struct seg *s);
void mutate_options(struct seg *s);

/* blast_prey.c */
void prey_init(void);
void prey_round(void);
void prey_listener(void);
void prey_hear(const struct heard *h);
bool prey_verdict(void);

/* blast_good.c */
void good_init(void);
void good_shoot(void);
void good_forward(int from, const struct heard *h);
void good_stop(void);
bool good_running(void);
bool good_verdict(void);

/* blast.c: hear all there is, forward it or note it */
void pump(void);

#endif /* BLAST_H */
