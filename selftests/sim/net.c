// SPDX-License-Identifier: GPL-2.0
/* The network between the hosts: a heap of packets ordered by arrival. */
#include "sim.h"

struct pkt *pkt_new(u32 len)
{
	struct pkt *k = malloc(sizeof(*k) + len);

	if (!k)
		abort();
	memset(k, 0, sizeof(*k));
	k->len = len;
	k->segs = 1;
	k->mss = len;
	return k;
}

static bool before(const struct pkt *a, const struct pkt *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void heap_push(struct sim *s, struct pkt *k)
{
	unsigned int i;

	if (s->n_heap == s->cap_heap) {
		s->cap_heap = s->cap_heap ? 2 * s->cap_heap : 256;
		s->heap = realloc(s->heap, s->cap_heap * sizeof(*s->heap));
		if (!s->heap)
			abort();
	}
	for (i = s->n_heap++; i && before(k, s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = k;
}

static struct pkt *heap_pop(struct sim *s)
{
	struct pkt *top = s->heap[0], *last = s->heap[--s->n_heap];
	unsigned int i = 0, c;

	while ((c = 2 * i + 1) < s->n_heap) {
		if (c + 1 < s->n_heap && before(s->heap[c + 1], s->heap[c]))
			c++;
		if (!before(s->heap[c], last))
			break;
		s->heap[i] = s->heap[c];
		i = c;
	}
	s->heap[i] = last;
	return top;
}

u64 net_next_us(const struct sim *s)
{
	return s->n_heap ? s->heap[0]->at_us : 0;
}

void net_clear(struct sim *s)
{
	while (s->n_heap)
		free(s->heap[--s->n_heap]);
}

void ladder_pkt(struct sim *s, const struct pkt *k, const char *what)
{
	char f[12];
	struct xtcp_opts o;
	int i;

	if (!s->ladder)
		return;
	printf("%12.6f  %c:%-4u %s %c:%-4u ", s->now_us / 1e6, host_letter(k->from), k->sport,
	       k->from < k->to ? "-->" : k->from > k->to ? "<--" : "<->", host_letter(k->to),
	       k->dport);
	if (k->icmp) {
		printf("ICMP error %u, mss %u  %s\n", k->icmp, k->icmp_mss, what);
		return;
	}
	printf("%-4s seq %u ack %u win %u len %u", flags_name(k->flags, f), k->seq, k->ack,
	       k->wnd, k->len);
	xtcp_opts_parse(k->opt, k->optlen, k->flags & XTCP_SYN, &o);
	if (o.mss)
		printf(" mss %u", o.mss);
	if (o.has_wscale)
		printf(" ws %u", o.wscale);
	if (o.sack_ok)
		printf(" sackok");
	if (o.has_ts)
		printf(" ts %u/%u", o.tsval, o.tsecr);
	for (i = 0; i < o.nsack; i++)
		printf(" sack %u-%u", o.sack[i].start, o.sack[i].end);
	if (k->segs > 1)
		printf(" segs %u", k->segs);
	printf("%s%s\n", *what ? "  " : "", what);
}

static struct pkt *pkt_dup(const struct pkt *k)
{
	struct pkt *c = pkt_new(k->len);

	memcpy(c, k, sizeof(*k) + k->len);
	return c;
}

/* When a packet that leaves now arrives; 0: the queue is full. */
static u64 link_arrival(struct sim *s, struct link *l, u32 len)
{
	u64 at = s->now_us;

	if (l->rate) {
		if (l->busy_us < at)
			l->busy_us = at;
		if (l->busy_us - at > l->queue_us)
			return 0;
		l->busy_us += (len + 40) * SEC / l->rate;
		at = l->busy_us;
	}
	at += l->delay_us + rnd_below(&s->r, l->jitter_us + 1);
	if (rnd_pm(&s->r, l->reorder_pm))
		return at + rnd_below(&s->r, l->late_us + 1);
	if (at < l->sent_at_us)
		at = l->sent_at_us;
	l->sent_at_us = at;
	return at;
}

/* A header that was damaged behind the back of the checksum. */
static void mangle(struct sim *s, struct pkt *k)
{
	switch (rnd_below(&s->r, 8)) {
	case 0:
		k->seq ^= 1u << rnd_below(&s->r, 32);
		break;
	case 1:
		k->ack ^= 1u << rnd_below(&s->r, 32);
		break;
	case 2:
		k->flags ^= 1u << rnd_below(&s->r, 8);
		break;
	case 3:
		k->wnd ^= 1u << rnd_below(&s->r, 16);
		break;
	case 4:
		k->urg ^= 1u << rnd_below(&s->r, 16);
		break;
	case 5:
		k->len = rnd_below(&s->r, k->len + 1);
		break;
	case 6:
		k->optlen = rnd_below(&s->r, k->optlen + 1);
		break;
	default:
		if (k->optlen)
			k->opt[rnd_below(&s->r, k->optlen)] ^= 1u << rnd_below(&s->r, 8);
		break;
	}
}

static bool cut_off(const struct sim *s, u8 from, u8 to)
{
	u32 i;

	for (i = 0; i < s->n_cut; i++) {
		const struct cut *c = &s->cut[i];

		if (s->now_us >= c->from_us && s->now_us < c->to_us &&
		    (c->a >> from & 1) && (c->b >> to & 1))
			return true;
	}
	return false;
}

/* A router tells the sender of @k what became of it. */
static void icmp_back(struct sim *s, const struct pkt *k, u8 err, u16 mss)
{
	struct pkt *c = pkt_new(0);

	c->icmp = err;
	c->icmp_mss = mss;
	c->seq = k->seq;
	c->from = k->to;
	c->to = k->from;
	c->sport = k->dport;
	c->dport = k->sport;
	c->order = ++s->order;
	c->at_us = s->now_us + 1 + rnd_below(&s->r, 50 * MS);
	heap_push(s, c);
}

/* Why the network swallows @k, NULL: it does not. */
static const char *swallowed(struct sim *s, struct link *l, struct pkt *k)
{
	if (cut_off(s, k->from, k->to)) {
		saw(s, SEEN_CUT);
		return "[cut]";
	}
	if (rnd_pm(&s->r, l->loss_pm))
		return "[lost]";
	if (l->narrow_us && s->now_us >= l->narrow_us && k->len &&
	    k->len + k->optlen > l->narrow_mss) {
		/* who looks for the path's MTU himself need not be told of it */
		if (s->h[k->from].p.tcp_mtu_probing && !s->h[k->from].harsh) {
			saw(s, SEEN_HOLE);
			return "[too big, not a word]";
		}
		icmp_back(s, k, EMSGSIZE, l->narrow_mss);
		return "[too big]";
	}
	/* damage is what the checksum is for: the receiver drops it unseen */
	if (rnd_pm(&s->r, l->corrupt_pm)) {
		saw(s, SEEN_CORRUPT);
		if (!s->hostile)
			return "[corrupt]";
		mangle(s, k);
	}
	if (k->len > 1 && rnd_pm(&s->r, l->trunc_pm)) {
		if (rnd_below(&s->r, 2))
			return "[truncated]";
		/* a middlebox cut it in two, and the second half did not arrive */
		saw(s, SEEN_TRUNCATED);
		k->len = 1 + rnd_below(&s->r, k->len - 1);
		k->mss = k->len;
		k->flags &= ~(XTCP_FIN | XTCP_PSH);
	}
	return NULL;
}

/* Mark @k? By its number and no random one, so that seeds keep their worlds. */
static bool congested(struct sim *s, const struct link *l, struct pkt *k)
{
	if (k->ecn != XTCP_ECN_ECT0 || ((u32)k->order * 2654435761u >> 16) % 1000 >= l->mark_pm)
		return false;
	k->ecn = XTCP_ECN_CE;
	saw(s, SEEN_MARKED);
	return true;
}

/* FNV-1a, 64 bits at a time */
static void digest(struct sim *s, u64 word)
{
	s->digest = (s->digest ^ word) * 0x100000001b3ULL;
}

static void digest_pkt(struct sim *s, const struct pkt *k)
{
	unsigned int i;

	digest(s, s->now_us);
	digest(s, (u64)k->seq << 32 | k->ack);
	digest(s, (u64)k->len << 32 | (u32)k->wnd << 16 | k->urg);
	digest(s, (u64)k->flags << 24 | k->ecn << 16 | k->from << 8 | k->to);
	for (i = 0; i < k->optlen; i++)
		digest(s, k->opt[i]);
}

static void transmit(struct sim *s, struct pkt *k)
{
	struct link *l;
	const char *why = NULL, *mark = "";

	k->order = ++s->order;
	s->packets++;
	digest_pkt(s, k);
	if (k->to >= s->n_host) {
		ladder_pkt(s, k, "[nobody]");
		if (rnd_pm(&s->r, s->icmp_pm))
			icmp_back(s, k, rnd_below(&s->r, 2) ? EHOSTUNREACH : ENETUNREACH, 0);
		free(k);
		return;
	}
	l = &s->link[k->from][k->to];
	why = swallowed(s, l, k);
	if (!why && rnd_pm(&s->r, l->dup_pm)) {
		struct pkt *c = pkt_dup(k);

		c->at_us = link_arrival(s, l, c->len);
		if (c->at_us)
			heap_push(s, c);
		else
			free(c);
	}
	if (!why) {
		k->at_us = link_arrival(s, l, k->len);
		if (!k->at_us)
			why = "[queue full]";
		else if (congested(s, l, k))
			mark = "[marked]";
	}
	ladder_pkt(s, k, why ? why : mark);
	if (why)
		free(k);
	else
		heap_push(s, k);
}

/**
 * net_send - what the NIC does: cut a supersegment (GSO), transmit the pieces
 * @from: sender
 * @to: host number or NOBODY
 * @lport: sender's port
 * @rport: the other
 * @k: k->mss is the size of a piece; ownership passes
 */
void net_send(struct host *from, u8 to, u16 lport, u16 rport, struct pkt *k)
{
	u32 off, n, size = k->mss;

	k->from = from->id;
	k->to = to;
	k->sport = lport;
	k->dport = rport;
	if (!size || k->len <= size) {
		k->segs = 1;
		k->mss = k->len;
		transmit(from->sim, k);
		return;
	}
	for (off = 0; off < k->len; off += n) {
		struct pkt *c;

		n = min_t(u32, size, k->len - off);
		c = pkt_new(n);
		memcpy(c, k, sizeof(*k));
		memcpy(c->data, k->data + off, n);
		c->len = n;
		c->mss = n;
		c->segs = 1;
		c->seq = k->seq + off;
		c->urg = k->urg > off ? k->urg - off : 0;
		if (!c->urg)
			c->flags &= ~XTCP_URG;
		if (off)
			c->flags &= ~XTCP_CWR;
		if (off + n < k->len)
			c->flags &= ~(XTCP_FIN | XTCP_PSH);
		transmit(from->sim, c);
	}
	free(k);
}

/* May @b join @a in one GRO packet? The rules of tcp_gro_receive(). */
static bool gro_match(const struct pkt *a, const struct pkt *b)
{
	const u8 bad = XTCP_SYN | XTCP_FIN | XTCP_RST | XTCP_URG | XTCP_CWR;

	return a->to == b->to && a->from == b->from && a->sport == b->sport &&
	       a->dport == b->dport && a->ecn == b->ecn && !a->icmp && !b->icmp &&
	       a->len && b->len &&
	       !((a->flags | b->flags) & bad) && !(a->flags & XTCP_PSH) &&
	       b->seq == a->seq + a->len && a->ack == b->ack && b->len <= a->mss &&
	       a->len % a->mss == 0 && a->len + b->len < 65000 && a->optlen == b->optlen &&
	       !memcmp(a->opt, b->opt, a->optlen) && b->at_us - a->at_us < 100;
}

struct pkt *net_pop(struct sim *s)
{
	struct pkt *k = heap_pop(s);

	while (s->n_heap && k->from < s->n_host &&
	       rnd_pm(&s->r, s->link[k->from][k->to].gro_pm) && gro_match(k, s->heap[0])) {
		struct pkt *b = heap_pop(s), *m = pkt_new(k->len + b->len);

		memcpy(m, k, sizeof(*k) + k->len);
		memcpy(m->data + k->len, b->data, b->len);
		m->len = k->len + b->len;
		m->flags |= b->flags;
		m->segs = k->segs + 1;
		m->at_us = b->at_us;
		m->wnd = b->wnd;
		free(k);
		free(b);
		k = m;
	}
	return k;
}

/* Some connection of @h that an attacker may know of; NULL: none. */
static struct flow *victim(struct host *h)
{
	struct sim *s = h->sim;
	u32 i, at = rnd_below(&s->r, s->n_flow);

	for (i = 0; i < s->n_flow; i++) {
		struct flow *f = s->flow[(at + i) % s->n_flow];

		if (f->host == h && f->kind == F_CONN && f->t.state != XTCP_SYN_SENT)
			return f;
	}
	return NULL;
}

/*
 * A segment from someone off the path who knows the addresses and guesses the
 * sequence number well, though not exactly: RFC 5961 says none may do harm.
 */
void net_inject(struct host *to)
{
	struct sim *s = to->sim;
	struct flow *f = victim(to);
	struct pkt *k;
	u32 wnd;

	if (!f)
		return;
	wnd = xtcp_rcv_wnd(&f->t.s);
	k = pkt_new(0);
	k->from = f->peer;
	k->to = to->id;
	k->sport = f->rport;
	k->dport = f->lport;
	k->order = ++s->order;
	k->at_us = s->now_us;
	k->seq = f->t.s.rcv_nxt + 1 + rnd_below(&s->r, wnd ? 2 * wnd : 1000);
	k->ack = f->t.s.snd_una;
	switch (rnd_below(&s->r, 4)) {
	case 0:
		k->flags = XTCP_RST;
		break;
	case 1:
		k->flags = XTCP_SYN;
		k->seq = rnd_u32(&s->r);
		break;
	case 2:
		k->flags = XTCP_ACK;
		k->ack = f->t.s.snd_nxt + 1 + rnd_below(&s->r, 1 << 20);
		break;
	default:
		k->flags = XTCP_ACK;
		k->seq = f->t.s.rcv_nxt;
		k->ack = f->t.s.snd_una - f->t.max_window - 1 - rnd_below(&s->r, 1 << 30);
		break;
	}
	ladder_pkt(s, k, "[forged]");
	saw(s, SEEN_FORGED);
	host_rx(to, k);
	free(k);
}
