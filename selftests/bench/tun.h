/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A TUN device in a network namespace of its own, and peers played on it: their
 * segments are written, and have been through the whole receive path when the
 * write returns; what answers them is read back. Only the writes are counted.
 */
#ifndef XTCP_BENCH_TUN_H
#define XTCP_BENCH_TUN_H

#include <stdint.h>
#include <stdio.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* One connection as its peer sees it. */
struct peer {
	uint32_t addr;			/* host order */
	uint16_t port, to;		/* the peer's, ours */
	uint32_t seq, ack;		/* what it sends next, what it expects */
	uint32_t ts;			/* our last time stamp; 0: none came */
	uint8_t flags;			/* of the last answer */
	uint32_t sack[3][2];		/* blocks to send besides; the first 0, 0: none */
};

#define TUN_HOST	0x0a610001u	/* 10.97.0.1/16 */

void tun_open(void);
struct peer peer_number(unsigned int n, uint16_t to);
uint64_t peer_send(struct peer *p, int flags, unsigned int len);
void peer_hear(struct peer *p);
uint64_t tun_dropped(unsigned int len);
uint64_t tun_floor(void);

#endif
