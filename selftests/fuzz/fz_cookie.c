// SPDX-License-Identifier: GPL-2.0
/*
 * SYN cookies: a host mints, its keys and clock move on, a client mutates what
 * comes back. What is accepted must be what was minted.
 */
#include "fz.h"

#define HEAD	(FZ_PARAM_BYTES + FZ_SEG_BYTES + 64)
#define RECORD	16

const struct fz_shape fz_shape = { HEAD, RECORD };

static u64 n_ok, n_old, n_bad, n_rotated_ok;

/* Who mints, who checks. */
struct host {
	struct xtcp_cookie_keys k;
	u8 wscale;
	u64 real_s;
};

/* A handshake as the client has it. */
struct trip {
	struct xtcp_params p;
	u8 laddr[16], faddr[16];
	struct xtcp_cookie_id id;
	struct xtcp_rq rq;	/* what the cookie stands for */
	struct xtcp_seg ack;	/* the honest third segment */
	u64 minted_s;
	siphash_key_t minted_by;
	u64 now_us;
};

size_t fz_seed(unsigned int n, u8 *out, size_t room)
{
	if (n >= 200)
		return 0;
	fz_seed_random(n, out, HEAD + (1 + n % 16) * RECORD);
	memset(out, 0, n % 2 ? FZ_PARAM_BYTES : 0);
	return HEAD + (1 + n % 16) * RECORD;
}

const char *fz_missing(void)
{
	if (!n_ok)
		return "a good cookie";
	if (!n_old)
		return "an expired cookie";
	if (!n_rotated_ok)
		return "a good cookie of the previous key";
	return n_bad ? NULL : "a bad cookie";
}

static void key_get(siphash_key_t *k, struct fz_in *in)
{
	/* a byte tells them apart: equal keys are cases, too */
	k->key[0] = 0x0123456789abcdefULL ^ fz_u8(in);
	k->key[1] = 0xfedcba9876543210ULL;
}

static void mint(struct trip *t, struct host *h, struct fz_in *in)
{
	struct fz_marks none = { .edge = 65535 };
	struct xtcp_reply rep;
	struct xtcp_seg syn;
	struct xtcp_opts o;
	bool v6 = fz_u8(in) & 1;

	none.seq[0] = fz_isn(in);
	fz_segment(in, &none, &syn);
	syn.flags = XTCP_SYN;
	xtcp_rq_init(&t->rq, &t->p, &syn, v6, 0, 77, 65535, h->wscale, t->now_us);
	t->laddr[0] = fz_u8(in);
	t->faddr[0] = fz_u8(in);
	t->id = (struct xtcp_cookie_id) {
		t->laddr, t->faddr, v6 ? 16 : 4, fz_u16(in), fz_u16(in),
	};
	xtcp_cookie_make(&h->k, &t->id, &t->rq, h->real_s);
	t->minted_s = h->real_s;
	t->minted_by = h->k.key[0];
	xtcp_rq_synack(&t->rq, 1460, t->now_us, &rep);
	xtcp_opts_parse(rep.opt, rep.optlen, true, &o);
	FZ_NEED(!o.has_ts || seq_leq(o.tsval, (u32)(t->now_us / 1000) + t->rq.ts_off));
	t->ack = (struct xtcp_seg) {
		.seq = syn.seq + 1, .ack = rep.seq + 1, .flags = XTCP_ACK, .wnd = syn.wnd,
		.segs = 1, .opt.has_ts = o.has_ts, .opt.tsecr = o.tsval,
		.opt.tsval = o.has_ts ? syn.opt.tsval + 1 : 0,
	};
}

/* What the cookie says is what was agreed when it was minted. */
static void check_made(const struct trip *t, const struct host *h, const struct xtcp_seg *g,
		       const struct xtcp_cookie_syn *syn)
{
	struct xtcp_rq made;

	xtcp_cookie_rq(&made, &t->p, g, syn, t->rq.is_v6,
		       xtcp_cookie_ts_off(t->rq.ts_off, g->opt.tsecr, t->now_us), 65535,
		       h->wscale, t->now_us);
	FZ_NEED(made.mss_peer == t->rq.mss_peer && made.sack_ok == t->rq.sack_ok);
	FZ_NEED(made.wscale_ok == t->rq.wscale_ok && made.snd_wscale == t->rq.snd_wscale);
	FZ_NEED(made.rcv_wscale == t->rq.rcv_wscale && made.ts_ok == t->rq.ts_ok);
	FZ_NEED(made.rcv_nxt == t->rq.rcv_nxt && made.iss == t->rq.iss && made.cookie);
}

static bool knows(const struct host *h, const siphash_key_t *k)
{
	unsigned int i;

	for (i = 0; i < h->k.n; i++)
		if (!memcmp(&h->k.key[i], k, sizeof(*k)))
			return true;
	return false;
}

/* Does everything the hash covers stand as it was minted? */
static bool genuine(const struct trip *t, const struct host *h, const struct xtcp_cookie_id *id,
		    const struct xtcp_seg *g)
{
	u8 alen = t->id.alen;

	if (!knows(h, &t->minted_by) || id->lport != t->id.lport || id->fport != t->id.fport ||
	    memcmp(id->laddr, t->id.laddr, alen) || memcmp(id->faddr, t->id.faddr, alen))
		return false;
	if (g->seq != t->ack.seq || g->ack != t->ack.ack ||
	    g->opt.has_ts != t->ack.opt.has_ts)
		return false;
	if (!g->opt.has_ts)
		return true;
	/* of the timestamp, the option bits; our scale, if scales were agreed */
	return !((g->opt.tsecr ^ t->ack.opt.tsecr) & 63) &&
	       (!t->rq.wscale_ok || h->wscale == t->rq.rcv_wscale);
}

/*
 * Is the same lie believed under other keys, too? A lucky guess is not: once in
 * 2^25 the hash agrees by chance, twice in a row for other keys it does not.
 */
static bool forged(const struct trip *t, const struct host *h, const struct xtcp_cookie_id *id,
		   const struct xtcp_seg *g)
{
	unsigned int round, i;

	for (round = 1; round <= 2; round++) {
		struct xtcp_cookie_keys by = { { t->minted_by }, 1 };
		struct xtcp_rq rq = t->rq;
		struct xtcp_cookie_syn syn;
		struct xtcp_seg lie = *g;
		struct host other = *h;

		for (i = 0; i < 2; i++)
			other.k.key[i].key[1] ^= round;
		by.key[0].key[1] ^= round;
		xtcp_cookie_make(&by, &t->id, &rq, t->minted_s);
		lie.ack = (rq.iss ^ (g->ack - 1) ^ t->rq.iss) + 1;
		if (xtcp_cookie_check(&other.k, id, &lie, h->wscale, h->real_s, &syn) ==
		    XTCP_COOKIE_BAD)
			return false;
	}
	return true;
}

static void check(const struct trip *t, const struct host *h, const struct xtcp_cookie_id *id,
		  const struct xtcp_seg *g)
{
	struct xtcp_cookie_syn syn;
	enum xtcp_cookie_act act = xtcp_cookie_check(&h->k, id, g, h->wscale, h->real_s, &syn);
	s64 age = (s64)(h->real_s / XTCP_COOKIE_TICK_S) - (s64)(t->minted_s / XTCP_COOKIE_TICK_S);
	bool good = genuine(t, h, id, g);

	n_ok += act == XTCP_COOKIE_OK;
	n_old += act == XTCP_COOKIE_OLD;
	n_bad += act == XTCP_COOKIE_BAD;
	if (good && age >= -1 && age < XTCP_COOKIE_TICKS) {
		FZ_NEED(act == XTCP_COOKIE_OK);
		n_rotated_ok += memcmp(&h->k.key[0], &t->minted_by, sizeof(t->minted_by)) != 0;
		check_made(t, h, g, &syn);
		return;
	}
	if (good && age >= XTCP_COOKIE_TICKS && age <= 6) {
		FZ_NEED(act == XTCP_COOKIE_OLD);
		return;
	}
	FZ_NEED(act == XTCP_COOKIE_BAD || !forged(t, h, id, g));
}

static void time_passes(struct trip *t, struct host *h, struct fz_in *in)
{
	u8 how = fz_u8(in);
	u64 s = how & 1 ? fz_u8(in) : fz_span(in, 34);

	if (how & 2)
		h->real_s = h->real_s > s ? h->real_s - s : 0;	/* somebody set the clock */
	else
		h->real_s += s;
	t->now_us += s * SEC;
}

static void keys_change(struct host *h, struct fz_in *in)
{
	u8 how = fz_u8(in);

	if (how & 1) {
		h->k.key[1] = h->k.key[0];
		h->k.n = 2;
	} else if (how & 2) {
		key_get(&h->k.key[1], in);
		h->k.n = 2;
	} else {
		h->k.n = 1;
	}
	key_get(&h->k.key[0], in);
}

/* The third segment, one or another bit of it changed. */
static void mutant(struct trip *t, struct host *h, struct fz_in *in)
{
	struct xtcp_cookie_id id = t->id;
	struct xtcp_seg g = t->ack;
	u8 laddr[16], faddr[16], how = fz_u8(in), bit = fz_u8(in);

	memcpy(laddr, t->laddr, 16);
	memcpy(faddr, t->faddr, 16);
	id.laddr = laddr;
	id.faddr = faddr;
	switch (how % 10) {
	case 0:
		g.ack ^= 1u << bit % 32;
		break;
	case 1:
		g.seq ^= 1u << bit % 32;
		break;
	case 2:
		g.opt.tsecr ^= 1u << bit % 32;
		break;
	case 3:
		g.opt.has_ts = !g.opt.has_ts;
		break;
	case 4:
		id.lport ^= 1u << bit % 16;
		break;
	case 5:
		id.fport ^= 1u << bit % 16;
		break;
	case 6:
		laddr[bit % id.alen] ^= 1u << bit / 32;
		break;
	case 7:
		faddr[bit % id.alen] ^= 1u << bit / 32;
		break;
	case 8:
		g.ack = fz_u32(in);
		break;
	case 9:
		g.opt.tsecr = fz_u32(in);
		break;
	}
	if (how & 0x80)
		g.ack += (s8)fz_u8(in);
	if (how & 0x40)
		g.opt.tsval = fz_u32(in);
	check(t, h, &id, &g);
}

static void step(struct trip *t, struct host *h, struct fz_in *in)
{
	switch (fz_u8(in) % 8) {
	case 0:
		time_passes(t, h, in);
		break;
	case 1:
		keys_change(h, in);
		break;
	case 2:
		h->wscale = fz_u8(in) % (XTCP_MAX_WSCALE + 1);
		break;
	case 3: case 4:
		check(t, h, &t->id, &t->ack);
		break;
	default:
		mutant(t, h, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fz_in in = { data, size }, part, head;
	struct host h;
	struct trip t;

	memset(&h, 0, sizeof(h));
	memset(&t, 0, sizeof(t));
	fz_params(&t.p, &in);
	head = fz_cut(&in, HEAD - FZ_PARAM_BYTES);
	key_get(&h.k.key[0], &head);
	h.k.n = 1;
	h.wscale = fz_u8(&head) % (XTCP_MAX_WSCALE + 1);
	h.real_s = fz_span(&head, 34);
	t.now_us = fz_clock(&head);
	mint(&t, &h, &head);
	check(&t, &h, &t.id, &t.ack);
	while (in.n) {
		part = fz_cut(&in, RECORD);
		step(&t, &h, &part);
	}
	return 0;
}
