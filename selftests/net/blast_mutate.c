// SPDX-License-Identifier: GPL-2.0
/* What can be wrong with a segment. */
#include <string.h>

#include "blast.h"

/* Distances at which comparisons go wrong, if they do. */
static u32 edge(u32 win)
{
	static const u32 near[] = { 0, 1, 2, 4, 8, 536, 1220, 1460, 4096, 65534, 65535, 65536 };
	u32 d;

	switch (rnd(8)) {
	case 0:
		return rnd(0);
	case 1:
		return 0x80000000u + rnd(5) - 2;
	case 2:
		d = win + rnd(5) - 2;
		break;
	case 3:
		d = rnd(1 << rnd(31));
		break;
	default:
		d = near[rnd(ARRAY_SIZE(near))];
	}
	return one_in(2) ? d : 0 - d;
}

static u32 value(void)
{
	static const u32 values[] = { 0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };

	return one_in(2) ? values[rnd(ARRAY_SIZE(values))] : rnd(0);
}

/* One option of a known or unknown kind, right, or with a length that is not. */
static int put_option(u8 *o, u32 seq, u32 ack)
{
	static const u8 kinds[] = { 0, 1, 2, 3, 4, 5, 8, 19, 28, 29, 30, 34, 253, 254 };
	static const u8 lengths[] = { 1, 1, 4, 3, 2, 34, 10, 18, 4, 16, 12, 10, 8, 4 };
	int k = rnd(ARRAY_SIZE(kinds)), len = lengths[k], i;

	if (kinds[k] == 5)
		len = 2 + 8 * (1 + rnd(4));
	o[0] = one_in(12) ? rnd(256) : kinds[k];
	o[1] = one_in(8) ? rnd(256) : (u32)len;
	for (i = 2; i < len; i++)
		o[i] = rnd(256);
	if (kinds[k] == 2 && one_in(2))
		put16(o + 2, rnd(3) * (one_in(2) ? 1 : 48));
	if (kinds[k] == 3)
		o[2] = one_in(2) ? 14 + rnd(4) : rnd(256);
	if (kinds[k] == 8 && one_in(2)) {
		put32(o + 2, value());
		put32(o + 6, value());
	}
	for (i = 2; kinds[k] == 5 && i + 8 <= len; i += 8) {
		put32(o + i, ack + edge(65535));
		put32(o + i + 4, one_in(3) ? ack + edge(65535) :
			   get32(o + i) + rnd(3000));
		if (!one_in(6))
			continue;
		/* round the far side of the sequence space, each end right to one edge */
		put32(o + i, ack + 0x7fff0000u - rnd(0x10000));
		put32(o + i + 4, ack - 0x7fff0000u + rnd(0x10000));
	}
	if (kinds[k] == 5 && one_in(8))
		put32(o + 2, seq);
	return len;
}

/**
 * mutate_options() - a list of random options, none, or what was there, damaged
 * @s: the segment
 */
void mutate_options(struct seg *s)
{
	u8 list[192];
	int len = 0, n = rnd(5);

	switch (rnd(6)) {
	case 0:
		s->opt_len = 0;
		return;
	case 1:		/* what is there, with a byte wrong */
		if (s->opt_len)
			s->opt[rnd(s->opt_len)] = rnd(256);
		return;
	case 2:		/* twice */
		if (s->opt_len <= 20) {
			memcpy(s->opt + s->opt_len, s->opt, s->opt_len);
			s->opt_len *= 2;
		}
		return;
	case 3:		/* behind what is there */
		len = s->opt_len;
		memcpy(list, s->opt, len);
		break;
	case 4:
		s->opt_len = 40;
		memset(s->opt, rnd(256), 40);
		return;
	}
	while (n--)
		len += put_option(list + len, s->seq, s->ack);
	s->opt_len = len > 40 ? 40 : len;	/* the last one cut off */
	memcpy(s->opt, list, s->opt_len);
}

/* The packet around the segment; no byte of the segment changes. */
static void mutate_packet(struct seg *s)
{
	switch (rnd(4)) {
	case 0:
		s->shape = SHAPE_FRAGS;
		break;
	case 1:
		s->shape = SHAPE_EXT;
		break;
	case 2:
		s->tos = rnd(256);
		break;
	case 3:
		s->ttl = one_in(2) ? rnd(256) : rnd(3);
		break;
	}
}

static void mutate_length(struct seg *s)
{
	static const u16 lens[] = { 0, 1, 2, 47, 48, 536, 1400, 1460, 9000, 32768, MAX_DATA };

	if (one_in(2))
		s->cut = rnd(one_in(2) ? 24 : 64);
	else
		s->len = lens[rnd(one_in(8) ? ARRAY_SIZE(lens) : 8)];
}

static void mutate_one(struct seg *s)
{
	switch (rnd(14)) {
	case 0:
		s->flags = rnd(one_in(4) ? 0x1000 : 0x40);
		break;
	case 1:
		s->flags ^= 1 << rnd(8);
		break;
	case 2:
	case 3:
		s->seq += edge(65535);
		break;
	case 4:
	case 5:
		s->ack += edge(65535);
		break;
	case 6:
		s->win = one_in(3) ? rnd(65536) : (one_in(2) ? 0 : 65535);
		break;
	case 7:
		s->urg = one_in(2) ? rnd(65536) : rnd(4);
		s->flags |= TH_URG;
		break;
	case 8:
		mutate_length(s);
		break;
	case 9:
		if (one_in(2))
			s->csum_xor = 1 + rnd(65534);
		else
			s->doff = rnd(16);
		break;
	case 10:
	case 11:
		mutate_options(s);
		break;
	case 12:
		mutate_packet(s);
		break;
	case 13:
		if (one_in(3))
			s->shape = SHAPE_SHORT;
		break;
	}
}

/**
 * mutate() - change anything
 * @s: a segment, good so far
 */
void mutate(struct seg *s)
{
	int n = 1 + rnd(4);

	while (n--)
		mutate_one(s);
}

/**
 * mutate_harmless() - change what a TCP looks at only after it has accepted the
 * segment by its sequence number, ACK, checksum and timestamp, or not at all
 * @s: a segment that it must not accept
 */
void mutate_harmless(struct seg *s)
{
	s->win = one_in(2) ? s->win : value();
	if (one_in(4)) {
		s->urg = rnd(65536);
		s->flags |= TH_URG;
	}
	if (one_in(4))
		mutate_packet(s);
	if (one_in(8))
		s->shape = SHAPE_SHORT;
}
