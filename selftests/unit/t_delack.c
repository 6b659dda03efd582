// SPDX-License-Identifier: GPL-2.0
/* ACKs that wait for an answer to carry them (delack.c, tcp_delack_push_us). */
#include "unit.h"
#include "../../src/core/internal.h"

#define PUSH	(XTCP_ACK | XTCP_PSH)

static void begin(struct u *u)
{
	u_init(u);
	u_to(u, XTCP_ESTABLISHED);
	u_clear(u);
}

static void pushed(struct u *u, u32 len)
{
	u_clear(u);
	u_seg(u, PUSH, u->t.s.rcv_nxt, u->t.s.snd_nxt, len);
}

static void sleeps(struct u *u)
{
	u_prep(u);
	if (!xtcp_user_sleeps(&u->t))
		return;
	xtcp_user_read_end(&u->t, u->now, &u->v);
	u_step(u);
}

/* What goes with it, goes instead of it. */
static void carried(void)
{
	struct u u;

	begin(&u);
	pushed(&u, 10);
	is(u.n_out, 0, "push: the ACK of a request waits");
	u_read(&u, 10);
	is(u.n_out, 0, "push: ... also when the request is read");
	u_send(&u, 20);
	ok(u.n_out == 1 && u.out[0].len == 20 && u.out[0].ack == IRS + 11,
	   "push: ... for the answer");
	u_run(&u, 50 * MS);
	is(u.n_out, 1, "push: ... and that was it");
	u_free(&u);

	begin(&u);
	pushed(&u, 10);
	u_read(&u, 10);
	u_close(&u, 0);
	ok(u.n_out == 1 && u.out[0].flags & XTCP_FIN && u.out[0].ack == IRS + 11,
	   "push: a FIN carries it");
	u_free(&u);

	begin(&u);
	pushed(&u, MSS);
	u_read(&u, MSS);
	is(u.n_out, 0, "push: it waits for the first full segment");
	pushed(&u, MSS);
	u_read(&u, MSS);
	is(u.n_out, 1, "push: ... and goes with the second (RFC 5681 4.2)");
	is(u.t.ack_futile, 0, "push: ... which was no waste");
	u_free(&u);
}

/* Nothing came that could have carried it. */
static void alone(void)
{
	struct u u;
	u64 t0;

	begin(&u);
	t0 = u.now;
	pushed(&u, 10);
	u_run(&u, 40 * MS);
	ok(u.n_out == 1 && u.out[0].len == 0 && u.out[0].ack == IRS + 11, "push: it goes alone");
	is(u.n_out ? u.out_us[0] - t0 : 0, MS, "push: ... after tcp_delack_push_us");
	u_free(&u);

	begin(&u);
	u.t.ack_futile = 2;
	pushed(&u, 10);
	u_read(&u, 10);
	sleeps(&u);
	is(u.n_out, 1, "push: it goes when the reader sleeps");
	is(u.t.ack_futile, 2, "push: ... which was neither waste nor gain");
	u_clear(&u);
	sleeps(&u);
	is(u.n_out, 0, "push: ... once");
	u_free(&u);
}

/* How many of @n segments with 10 bytes, each read at once, were acknowledged at once. */
static u32 at_once(struct u *u, u32 n)
{
	u32 i, fast = 0;

	for (i = 0; i < n; i++) {
		pushed(u, 10);
		u_read(u, 10);
		fast += u->n_out;
		u_run(u, 20 * MS);
		is(u->n_out, 1, "push: one ACK for each");
	}
	return fast;
}

/* A peer who waits for each ACK waits seldom. */
static void in_vain(void)
{
	struct u u;

	begin(&u);
	is(at_once(&u, 1), 0, "push: the first waits in vain");
	is(at_once(&u, 4), 4, "push: ... four do not");
	is(at_once(&u, 1), 0, "push: ... the next");
	is(at_once(&u, 16), 16, "push: ... sixteen do not");
	is(at_once(&u, 1), 0, "push: ... the next");
	is(at_once(&u, 64), 64, "push: ... sixty-four do not");
	is(at_once(&u, 1), 0, "push: ... the next");
	is(at_once(&u, 64), 64, "push: ... and no more than that");
	pushed(&u, 10);
	u_send(&u, 10);
	is(u.t.ack_futile, 0, "push: an answer in time makes up for all of them");
	u_free(&u);
}

/* @u is not one who waits. */
static void must_not(struct u *u, const char *why)
{
	pushed(u, 10);
	is(u->n_out, 1, "push: %s: at once", why);
	u_free(u);
}

/* Who must not wait. */
static void never(void)
{
	struct u u;

	begin(&u);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, MSS);
	is(u.n_out, 1, "push: what was not pushed is acknowledged at once");
	u_free(&u);

	begin(&u);
	u.t.rcv_mss = 9000;
	pushed(&u, XTCP_ACK_WAIT_BYTES);
	is(u.n_out, 0, "push: so many bytes wait");
	u_free(&u);
	begin(&u);
	u.t.rcv_mss = 9000;
	pushed(&u, XTCP_ACK_WAIT_BYTES + 1);
	is(u.n_out, 1, "push: ... and no more");
	u_free(&u);

	begin(&u);
	u.p.tcp_delack_push_us = 0;
	must_not(&u, "tcp_delack_push_us 0");

	begin(&u);
	u.p.tcp_delack_min_ms = 0;
	must_not(&u, "tcp_delack_min_ms 0");

	begin(&u);
	u.t.quickack_user = 1;
	must_not(&u, "TCP_QUICKACK");
}

/* After a loss the peer waits for each ACK. */
static void disturbed(void)
{
	struct u u;
	u32 i, n;

	begin(&u);
	u_seg(&u, PUSH, u.t.s.rcv_nxt + 10, ISS + 1, 10);
	is(u.n_out, 1, "push: out of order: at once");
	pushed(&u, 10);
	is(u.n_out, 1, "push: ... the hole is filled");
	n = u.t.ack_skip;
	ok(n >= 8, "push: ... and so are %u more", n);
	for (i = 0; i < n; i++) {
		pushed(&u, 10);
		is(u.n_out, 1, "push: ... like this one");
	}
	pushed(&u, 10);
	is(u.n_out, 0, "push: ... then they wait again");
	u_free(&u);

	begin(&u);
	pushed(&u, 10);
	u_send(&u, 10);
	u_clear(&u);
	u_seg(&u, PUSH, IRS + 1, ISS + 11, 10);
	is(u.n_out, 1, "push: what came twice: at once");
	u.t.pingpong = 0;
	pushed(&u, 10);
	is(u.n_out, 1, "push: ... and what follows");
	u_free(&u);
}

/* A client whose user has said that he speaks first. */
static void third_of(struct u *u, int us)
{
	u->p.tcp_delack_synack_us = us;
	u_open(u);
	u_clear(u);
	u_seg(u, XTCP_SYN | XTCP_ACK, IRS, ISS + 1, 0);
	is(u->t.state, XTCP_ESTABLISHED, "third segment: established");
}

static void third(struct u *u, bool pingpong, int us)
{
	u_init(u);
	u->t.pingpong = pingpong;
	third_of(u, us);
}

static void third_segment(void)
{
	struct u u;

	third(&u, false, 0);
	is(u.n_out, 1, "third segment: at once");
	u_free(&u);

	third(&u, true, 0);
	is(u.n_out, 0, "third segment: the user will write: it waits");
	u_send(&u, 10);
	ok(u.n_out == 1 && u.out[0].len == 10 && u.out[0].ack == IRS + 1,
	   "third segment: ... for his data");
	u_clear(&u);
	u_run(&u, 300 * MS);
	ok(!u.n_out || u.out[0].len, "third segment: ... and that was it");
	u_free(&u);

	third(&u, true, 0);
	u_run(&u, 199 * MS);
	is(u.n_out, 0, "third segment: he does not: it waits");
	u_run(&u, MS);
	ok(u.n_out == 1 && !u.out[0].len && u.out[0].ack == IRS + 1,
	   "third segment: ... 200 ms");
	pushed(&u, 10);
	is(u.n_out, 1, "third segment: ... and what follows does not");
	u_free(&u);

	third(&u, false, 5000);
	is(u.n_out, 0, "third segment: tcp_delack_synack_us: it waits");
	u_run(&u, 5 * MS);
	is(u.n_out, 1, "third segment: ... as long as that");
	u_free(&u);

	third(&u, true, 0);
	sleeps(&u);
	is(u.n_out, 1, "third segment: he reads instead: at once");
	u_free(&u);

	third(&u, true, 0);
	u_close(&u, 0);
	ok(u.n_out == 1 && u.out[0].flags & XTCP_FIN && u.out[0].ack == IRS + 1,
	   "third segment: a FIN carries it");
	u_free(&u);

	u_init(&u);
	u.t.ack_third = 1;
	u.t.quickack_user = 1;
	third_of(&u, 0);
	is(u.n_out, 0, "third segment: TCP_DEFER_ACCEPT: it waits, whatever TCP_QUICKACK says");
	u_send(&u, 10);
	is(u.n_out, 1, "third segment: ... for data");
	u_clear(&u);
	u_seg(&u, PUSH, IRS + 1, ISS + 11, 10);
	is(u.n_out, 1, "third segment: ... and no ACK after it");
	u_free(&u);

	third(&u, true, 0);
	pushed(&u, 10);
	is(u.n_out, 0, "third segment: with the ACK of a request");
	u_run(&u, 5 * MS);
	is(u.n_out, 1, "third segment: ... which waits no longer for that");
	u_free(&u);
}

void test_delack(void)
{
	third_segment();
	carried();
	alone();
	in_vain();
	never();
	disturbed();
}
