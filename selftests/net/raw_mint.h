/* SPDX-License-Identifier: GPL-2.0 */
/* SYN cookies as another host with the same key would make them. */
#ifndef RAW_MINT_H
#define RAW_MINT_H

#include <stdbool.h>
#include <stdint.h>

struct mint {
	const char *key;		/* hexadecimal */
	int ticks;			/* from now, in units of 64 s */
	uint16_t sut_port, peer_port;
	uint32_t peer_isn;
	uint16_t mss;
	bool ts, sackok;
	int ws, sut_ws;			/* -1: not offered */
	uint32_t tsval;			/* of the SYN-ACK: in, clock; out, with the options */
	uint32_t isn;			/* out: the cookie */
};

/* False if the key is malformed. */
bool raw_mint(struct mint *m, bool v6);

#endif /* RAW_MINT_H */
