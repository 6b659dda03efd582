// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/xtcp and xtcp6, in the format of /proc/net/tcp and tcp6, and
 * /proc/net/xtcp_netstat in that of /proc/net/netstat.
 *
 * A walk holds one entry by reference and no lock while it prints: an entry
 * inserted or removed meanwhile may be missed or shift a neighbour in the same
 * bucket, nothing more. Fields of a connection are read without its lock, as
 * the kernel's own files do.
 */
#include "xtcp_mod.h"

#include <linux/param.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>

#define LINE_WIDTH	149		/* of /proc/net/tcp, without the newline */

/* Codes of the column "tr" */
enum { TR_NONE, TR_REXMIT, TR_KEEP, TR_TIMEWAIT, TR_PROBE };

struct walk_pos {
	bool flows;			/* listeners first, then flows */
	unsigned int bucket, off;
};

struct walk {
	struct seq_net_private p;	/* first: seq_file_net() */
	u8 family;			/* of the socks listed */
	loff_t pos;			/* of the current entry */
	struct walk_pos at, next;	/* where its search began, where the next one's begins */
	struct sock *lsn;		/* the current entry: one of the two, referenced */
	struct xtcp_flow *flow;
	struct xtcp_tw_view tw;		/* what flow points to if it is TIME-WAIT */
};

/* What one line says. */
struct line {
	const struct in6_addr *l6, *f6;	/* IPv6, or */
	__be32 l4, f4;
	u16 lport, fport;
	u8 state, timer;
	u32 txq, rxq;
	u64 when_us;			/* until the timer */
	u32 retrans;
	kuid_t uid;
	u32 probes;
	unsigned long ino;
	int ref;
	const void *ptr;
	/* connections and listeners only */
	bool full;
	unsigned long rto, ato;
	u32 quick, cwnd;
	int ssthresh;
};

static u64 us_to_clock_t(u64 us)
{
	return div_u64(us, USEC_PER_SEC / USER_HZ);
}

static u64 us_left(u64 when_us, u64 now_us)
{
	return when_us > now_us ? when_us - now_us : 0;
}

static u8 conn_timer(const struct xtcp_tcb *t, u64 *when_us)
{
	*when_us = READ_ONCE(t->deadline_us[XTCP_T_REXMIT]);
	if (*when_us)
		return READ_ONCE(t->rexmit_kind) == XTCP_RT_PERSIST ? TR_PROBE : TR_REXMIT;
	*when_us = READ_ONCE(t->deadline_us[XTCP_T_KEEP]);
	if (*when_us)
		return TR_KEEP;
	*when_us = READ_ONCE(t->deadline_us[XTCP_T_LIFE]);
	return *when_us ? TR_KEEP : TR_NONE;
}

/* Without the lock, as all of this file: what moves meanwhile may not fit together. */
static void line_conn(struct line *n, struct sock *sk)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	const struct xtcp_tcb *t = &x->tcb;
	u32 ssthresh, fin_out, fin_in;
	u64 when_us;

	n->l4 = inet_sk(sk)->inet_rcv_saddr;
	n->f4 = inet_sk(sk)->inet_daddr;
	n->l6 = &sk->sk_v6_rcv_saddr;
	n->f6 = &sk->sk_v6_daddr;
	n->lport = ntohs(inet_sk(sk)->inet_sport);
	n->fport = ntohs(inet_sk(sk)->inet_dport);
	n->state = inet_sk_state_load(sk);
	n->uid = sk_uid(sk);
	n->ino = sock_i_ino(sk);
	n->ref = refcount_read(&sk->sk_refcnt);
	n->ptr = sk;
	n->full = true;
	n->rto = us_to_clock_t(READ_ONCE(t->rto_us));
	n->ato = us_to_clock_t(READ_ONCE(t->ato_us));
	n->cwnd = READ_ONCE(t->cwnd);
	/* a bit, for show */
	n->quick = READ_ONCE(t->quick) << 1 | xtcp_racy_bit(t->pingpong);
	if (n->state == TCP_LISTEN) {
		const struct xtcp_listener *lsn;

		rcu_read_lock();
		lsn = READ_ONCE(x->lsn);
		n->rxq = lsn ? READ_ONCE(lsn->n) : 0;
		rcu_read_unlock();
		return;
	}
	ssthresh = READ_ONCE(t->ssthresh);
	n->ssthresh = ssthresh >= INT_MAX ? -1 : ssthresh;
	/* bits as well: one more or less */
	fin_out = xtcp_racy_bit(t->fin_queued);
	/* the same */
	fin_in = xtcp_racy_bit(t->fin_rcvd);
	n->txq = max_t(int, READ_ONCE(t->write_seq) - READ_ONCE(t->s.snd_una) + fin_out, 0);
	n->rxq = max_t(int, READ_ONCE(t->s.rcv_nxt) - READ_ONCE(t->copied_seq) - fin_in, 0);
	n->timer = conn_timer(t, &when_us);
	n->when_us = us_left(when_us, xtcp_now_us(x->xn));
	n->retrans = READ_ONCE(t->retransmits);
	n->probes = READ_ONCE(t->probes_out);
}

static void line_flow(struct line *n, struct xtcp_flow *f)
{
	if (f->family == AF_INET) {
		n->l4 = f->v4.laddr;
		n->f4 = f->v4.faddr;
	} else {
		n->l6 = &f->v6.laddr;
		n->f6 = &f->v6.faddr;
	}
	n->lport = ntohs(f->lport);
	n->fport = ntohs(f->fport);
	n->ptr = f;
}

static void line_req(struct line *n, struct xtcp_req *req)
{
	u64 now_us = xtcp_now_us(xtcp_net(req->flow.net));

	line_flow(n, &req->flow);
	n->state = TCP_SYN_RECV;
	n->timer = TR_REXMIT;
	n->when_us = us_left(xtcp_rq_synack_us(&req->rq, now_us) + xtcp_req_timeout_us(req),
			     now_us);
	n->retrans = READ_ONCE(req->rq.retries);
	n->uid = sk_uid(req->listener);
}

static void line_tw(struct line *n, struct xtcp_tw_view *tw)
{
	line_flow(n, &tw->flow);
	n->state = tw->state;
	n->timer = TR_TIMEWAIT;
	n->when_us = tw->left_us;
	n->uid = GLOBAL_ROOT_UID;
	n->ptr = NULL;
}

static void print_addr6(struct seq_file *seq, const struct line *n, bool local)
{
	const struct in6_addr *a = local ? n->l6 : n->f6;
	struct in6_addr mapped;

	if (!a) {
		ipv6_addr_set_v4mapped(local ? n->l4 : n->f4, &mapped);
		a = &mapped;
	}
	seq_printf(seq, "%08X%08X%08X%08X:%04X ", a->s6_addr32[0], a->s6_addr32[1],
		   a->s6_addr32[2], a->s6_addr32[3], local ? n->lport : n->fport);
}

static void print_line(struct seq_file *seq, const struct line *n, u8 family, loff_t nr)
{
	if (family == AF_INET)
		seq_setwidth(seq, LINE_WIDTH);
	seq_printf(seq, "%4d: ", (int)nr);
	if (family == AF_INET) {
		seq_printf(seq, "%08X:%04X %08X:%04X ", n->l4, n->lport, n->f4, n->fport);
	} else {
		print_addr6(seq, n, true);
		print_addr6(seq, n, false);
	}
	seq_printf(seq, "%02X %08X:%08X %02X:%08lX %08X %5u %8d %lu %d %pK", n->state, n->txq,
		   n->rxq, n->timer, (unsigned long)us_to_clock_t(n->when_us), n->retrans,
		   from_kuid_munged(seq_user_ns(seq), n->uid), n->probes, n->ino, n->ref, n->ptr);
	if (n->full)
		seq_printf(seq, " %lu %lu %u %u %d", n->rto, n->ato, n->quick, n->cwnd,
			   n->ssthresh);
	if (family == AF_INET)
		seq_pad(seq, '\n');
	else
		seq_putc(seq, '\n');
}

/* The family of the sock behind a flow: a mapped peer is an AF_INET6 sock's. */
static u8 flow_sk_family(struct xtcp_flow *f)
{
	switch (f->kind) {
	case XTCP_KIND_CONN:
		return xtcp_to_sk(flow_conn(f))->sk_family;
	case XTCP_KIND_REQ:
		return container_of(f, struct xtcp_req, flow)->listener->sk_family;
	}
	return f->family;
}

static void walk_drop(struct walk *w)
{
	if (w->lsn)
		sock_put(w->lsn);
	xtcp_flow_put(w->flow);
	w->lsn = NULL;
	w->flow = NULL;
}

/* On to the next entry; NULL at the end. */
static struct walk *walk_step(struct seq_file *seq)
{
	struct net *net = seq_file_net(seq);
	struct walk *w = seq->private;

	w->at = w->next;
	while (!w->next.flows) {
		w->lsn = xtcp_listener_next(net, &w->next.bucket, &w->next.off);
		if (!w->lsn) {
			w->next = (struct walk_pos){ .flows = true };
			break;
		}
		if (w->lsn->sk_family == w->family)
			return w;
		walk_drop(w);
	}
	while ((w->flow = xtcp_flow_next(net, &w->next.bucket, &w->next.off, &w->tw))) {
		if (flow_sk_family(w->flow) == w->family)
			return w;
		walk_drop(w);
		cond_resched();
	}
	return NULL;
}

static void *walk_start(struct seq_file *seq, loff_t *pos)
{
	struct walk *w = seq->private;
	struct walk *v = w;
	loff_t i;

	w->family = (unsigned long)pde_data(file_inode(seq->file));
	if (!*pos) {
		w->next = (struct walk_pos){};
		w->pos = 0;
		return SEQ_START_TOKEN;
	}
	if (*pos == w->pos) {		/* read() went on where it had stopped */
		w->next = w->at;
		return walk_step(seq);
	}
	w->next = (struct walk_pos){};
	for (i = 0; i < *pos && v; i++) {
		walk_drop(w);
		v = walk_step(seq);
	}
	w->pos = *pos;
	return v;
}

static void *walk_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct walk *w = seq->private;

	walk_drop(w);
	w->pos = ++*pos;
	return walk_step(seq);
}

static void walk_stop(struct seq_file *seq, void *v)
{
	walk_drop(seq->private);
}

static void print_header(struct seq_file *seq, u8 family)
{
	if (family == AF_INET6) {
		seq_puts(seq, "  sl  local_address                         ");
		seq_puts(seq, "remote_address                        ");
		seq_puts(seq, "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
		return;
	}
	seq_setwidth(seq, LINE_WIDTH);
	seq_puts(seq, "  sl  local_address rem_address   st tx_queue rx_queue ");
	seq_puts(seq, "tr tm->when retrnsmt   uid  timeout inode");
	seq_pad(seq, '\n');
}

static int walk_show(struct seq_file *seq, void *v)
{
	struct walk *w = seq->private;
	struct line n = {};

	if (v == SEQ_START_TOKEN) {
		print_header(seq, w->family);
		return 0;
	}
	if (w->lsn)
		line_conn(&n, w->lsn);
	else if (w->flow->kind == XTCP_KIND_CONN)
		line_conn(&n, xtcp_to_sk(flow_conn(w->flow)));
	else if (w->flow->kind == XTCP_KIND_REQ)
		line_req(&n, container_of(w->flow, struct xtcp_req, flow));
	else
		line_tw(&n, &w->tw);
	print_line(seq, &n, w->family, w->pos - 1);
	return 0;
}

static const struct seq_operations walk_ops = {
	.start	= walk_start,
	.next	= walk_next,
	.stop	= walk_stop,
	.show	= walk_show,
};

/* In the order of the enums, which the same rows make */
static const struct { const char *name; } mibs[XTCP_NR_MIB] = {
#define XTCP_MIB(NAME, text) { #text },
#include <xtcp/mib.h>
#undef XTCP_MIB
};

static const struct { const char *name; } drops[XTCP_NR_DROPS] = {
	{ "None" },
#define XTCP_DROP(NAME, text, meaning) { #text },
#include <xtcp/drops.h>
#undef XTCP_DROP
};

/**
 * xtcp_drop_name - name of a drop reason
 * @reason: enum xtcp_drop
 *
 * Return: static string.
 */
const char *xtcp_drop_name(u8 reason)
{
	return reason < XTCP_NR_DROPS ? drops[reason].name : "?";
}

static unsigned long sum_mib(const struct xtcp_net *xn, unsigned int i)
{
	unsigned long n = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		n += READ_ONCE(per_cpu_ptr(xn->pcpu, cpu)->mib[i]);
	return n;
}

static unsigned long sum_drop(const struct xtcp_net *xn, unsigned int i)
{
	unsigned long n = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		n += READ_ONCE(per_cpu_ptr(xn->pcpu, cpu)->drop[i]);
	return n;
}

/* Pairs of lines, names and values, as nstat reads them. */
static int netstat_show(struct seq_file *seq, void *v)
{
	struct xtcp_net *xn = xtcp_net(seq->private);
	unsigned int i;

	seq_puts(seq, "TcpExt:");
	for (i = 0; i < XTCP_NR_MIB; i++)
		seq_printf(seq, " %s", mibs[i].name);
	for (i = XTCP_DROP_NONE + 1; i < XTCP_NR_DROPS; i++)
		seq_printf(seq, " Drop%s", drops[i].name);
	seq_puts(seq, "\nTcpExt:");
	for (i = 0; i < XTCP_NR_MIB; i++)
		seq_printf(seq, " %lu", sum_mib(xn, i));
	for (i = XTCP_DROP_NONE + 1; i < XTCP_NR_DROPS; i++)
		seq_printf(seq, " %lu", sum_drop(xn, i));
	seq_puts(seq, "\nTcpState:");
	for (i = 1; i < XTCP_NR_STATES; i++) {
		if (i != XTCP_CLOSE)
			seq_printf(seq, " %s", xtcp_state_name(i));
	}
	seq_puts(seq, "\nTcpState:");
	for (i = 1; i < XTCP_NR_STATES; i++) {
		if (i != XTCP_CLOSE)
			seq_printf(seq, " %lu", xtcp_state_now(xn, i));
	}
	seq_putc(seq, '\n');
	return 0;
}

/**
 * xtcp_proc_net_init - a namespace's files
 * @net: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int xtcp_proc_net_init(struct net *net)
{
	if (!proc_create_net_data("xtcp", 0444, net->proc_net, &walk_ops, sizeof(struct walk),
				  (void *)AF_INET))
		return -ENOMEM;
	if (IS_ENABLED(CONFIG_IPV6) &&
	    !proc_create_net_data("xtcp6", 0444, net->proc_net, &walk_ops, sizeof(struct walk),
				  (void *)AF_INET6))
		goto fail;
	if (!proc_create_net_single("xtcp_listen", 0444, net->proc_net, xtcp_proc_listen_show,
				    NULL))
		goto fail;
	if (!proc_create_net_single("xtcp_netstat", 0444, net->proc_net, netstat_show, NULL) ||
	    xtcp_proc_states_init(net))
		goto fail;
	return 0;
fail:
	xtcp_proc_net_exit(net);
	return -ENOMEM;
}

/**
 * xtcp_proc_net_exit - take the files away, wait for readers
 * @net: namespace
 */
void xtcp_proc_net_exit(struct net *net)
{
	remove_proc_subtree("xtcp_states", net->proc_net);
	remove_proc_subtree("xtcp_netstat", net->proc_net);
	remove_proc_subtree("xtcp_listen", net->proc_net);
	remove_proc_subtree("xtcp6", net->proc_net);
	remove_proc_subtree("xtcp", net->proc_net);
}
