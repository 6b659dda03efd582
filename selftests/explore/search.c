// SPDX-License-Identifier: GPL-2.0
/*
 * Breadth first over the states, each visited once; then backwards from the
 * ends, to know that none is ever out of reach. A failure prints the shortest
 * path to it.
 */
#include <setjmp.h>
#include <stdarg.h>

#include "world.h"

struct world W;
bool verbose;

struct state {
	struct digest d;
	u32 parent;
	u16 act, depth;
	bool end;		/* an end can be reached from here */
};

static struct state *states;
static void **snapshots;	/* of states not yet expanded */
static u32 n_states, cap_states;
static u32 *table;		/* digest -> state + 1 */
static u32 table_mask;
static struct { u32 from, to; } *moves;
static u64 n_moves, cap_moves;
static struct world root, here;
static jmp_buf failed;
static char why[300];

void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	longjmp(failed, 1);
}

void note(const char *fmt, ...)
{
	va_list ap;

	if (!verbose)
		return;
	printf("# %10.6f  ", (W.now - root.now) / 1e6);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static void *grow(void *p, u64 n, size_t size)
{
	p = realloc(p, n * size);
	if (!p) {
		fprintf(stderr, "explore: out of memory\n");
		exit(2);
	}
	return p;
}

/* ---- snapshots: where the world differs from the root, word by word */

#define WORDS	(sizeof(struct world) / 4)

static void *snapshot(void)
{
	static u32 buf[3 * WORDS / 2 + 2];
	const u32 *w = (const u32 *)&W, *r = (const u32 *)&root;
	u32 i = 0, from, n = 0, head, *copy;

	while (i < WORDS) {
		while (i < WORDS && w[i] == r[i])
			i++;
		if (i == WORDS)
			break;
		from = i;
		head = n++;
		while (i < WORDS && w[i] != r[i])
			buf[n++] = w[i++];
		buf[head] = from << 16 | (i - from);
	}
	buf[n++] = 0;
	copy = grow(NULL, n, 4);
	memcpy(copy, buf, n * 4);
	return copy;
}

static void restore(struct world *to, const void *snap)
{
	const u32 *s = snap;
	u32 *w = (u32 *)to;

	memcpy(to, &root, sizeof(root));
	for (; *s; s += 1 + (*s & 0xffff))
		memcpy(w + (*s >> 16), s + 1, (*s & 0xffff) * 4);
}

/* ---- the set of states */

static void table_double(void)
{
	u32 i, at;

	table_mask = table_mask ? table_mask * 2 + 1 : (1 << 16) - 1;
	free(table);
	table = calloc((size_t)table_mask + 1, sizeof(*table));
	if (!table)
		exit(2);
	for (i = 0; i < n_states; i++) {
		for (at = states[i].d.a & table_mask; table[at]; at = (at + 1) & table_mask)
			;
		table[at] = i + 1;
	}
}

/* The state W is in; a new one is queued for expansion. */
static u32 state_of(u32 parent, u16 act)
{
	struct digest d = world_digest();
	struct state *s;
	u32 at;

	if (n_states * 2 >= table_mask)
		table_double();
	for (at = d.a & table_mask; table[at]; at = (at + 1) & table_mask) {
		s = &states[table[at] - 1];
		if (s->d.a == d.a && s->d.b == d.b)
			return table[at] - 1;
	}
	if (n_states == cap_states) {
		cap_states = cap_states ? cap_states * 2 : 1 << 14;
		states = grow(states, cap_states, sizeof(*states));
		snapshots = grow(snapshots, cap_states, sizeof(*snapshots));
	}
	table[at] = n_states + 1;
	s = &states[n_states];
	s->d = d;
	s->parent = parent;
	s->act = act;
	s->depth = n_states ? states[parent].depth + 1 : 0;
	s->end = false;
	snapshots[n_states] = snapshot();
	return n_states++;
}

static void move_add(u32 from, u32 to)
{
	if (n_moves == cap_moves) {
		cap_moves = cap_moves ? cap_moves * 2 : 1 << 16;
		moves = grow(moves, cap_moves, sizeof(*moves));
	}
	moves[n_moves].from = from;
	moves[n_moves++].to = to;
}

static void forget(void)
{
	u32 i;

	for (i = 0; i < n_states; i++)
		free(snapshots[i]);
	free(states);
	free(snapshots);
	free(table);
	free(moves);
	states = NULL;
	snapshots = NULL;
	table = NULL;
	moves = NULL;
	n_states = 0;
	cap_states = 0;
	table_mask = 0;
	n_moves = 0;
	cap_moves = 0;
}

/* ---- the search */

/* How it came to this: the path again, talking. @last: one more action, or 0xffff. */
static void ladder(u32 id, u16 last)
{
	u16 *path;
	u32 i, n = 0;

	path = grow(NULL, states ? states[id].depth + 1 : 1, sizeof(*path));
	for (i = id; i; i = states[i].parent)
		path[n++] = states[i].act;
	printf("# world %s: %s\n# A %s, B %s\n", sc->name, sc->what, sc->prog[0], sc->prog[1]);
	verbose = true;
	if (!setjmp(failed)) {
		world_init();
		while (n-- > 0) {
			act(path[n]);
			world_check();
		}
		if (last != 0xffff) {
			act(last);
			world_check();
		}
	}
	verbose = false;
	free(path);
}

/* Where the search stands, for whoever is told of a failure. */
static volatile u32 at_state;
static volatile u16 at_act;

static void count_reason(const char *why, struct result *r)
{
	unsigned int i;

	r->silent++;
	for (i = 0; i < ARRAY_SIZE(r->reason); i++) {
		if (r->reason[i].n && r->reason[i].why != why)
			continue;
		r->reason[i].why = why;
		r->reason[i].n++;
		return;
	}
}

static void expand(u32 id, struct result *r)
{
	u16 a[MAX_ACTIONS];
	const char *silent;
	unsigned int i, n;

	at_act = 0xffff;
	restore(&here, snapshots[id]);
	free(snapshots[id]);
	snapshots[id] = NULL;
	memcpy(&W, &here, sizeof(W));
	if (world_over()) {
		states[id].end = true;
		r->ends++;
		return;
	}
	n = actions(a);
	if (!n) {
		silent = world_silent();
		if (!silent)
			fail("nothing can happen any more, and it is not over");
		states[id].end = true;
		count_reason(silent, r);
		return;
	}
	for (i = 0; i < n; i++) {
		if (i)
			memcpy(&W, &here, sizeof(W));
		at_act = a[i];
		act(a[i]);
		world_check();
		move_add(id, state_of(id, a[i]));
		r->transitions++;
	}
}

/* Backwards from the ends; moves are sorted by where they start, mostly downwards. */
static u32 hopeless(void)
{
	bool more = true;
	u64 m;
	u32 i;

	while (more) {
		more = false;
		for (m = n_moves; m-- > 0;) {
			if (!states[moves[m].to].end || states[moves[m].from].end)
				continue;
			states[moves[m].from].end = true;
			more = true;
		}
	}
	for (i = 0; i < n_states && states[i].end; i++)
		;
	return i;
}

/**
 * search - visit all states of the world sc
 * @max_states: give up beyond
 * @r: what was found
 *
 * Return: whether all is well; if not, reason and path have been printed.
 */
bool search(u32 max_states, struct result *r)
{
	u32 bad;

	memset(r, 0, sizeof(*r));
	at_state = 0;
	at_act = 0xffff;
	if (setjmp(failed)) {
		printf("# %s: %s\n", sc->name, why);
		ladder(at_state, at_act);
		forget();
		return false;
	}
	world_init();
	memcpy(&root, &W, sizeof(W));
	state_of(0, 0);
	for (; at_state < n_states && !r->bounded; at_state++) {
		expand(at_state, r);
		r->bounded = n_states > max_states;
	}
	r->states = n_states;
	r->depth = states[n_states - 1].depth;
	bad = r->bounded ? n_states : hopeless();
	if (bad < n_states) {
		printf("# %s: no end can be reached from here on\n", sc->name);
		ladder(bad, 0xffff);
	}
	forget();
	return bad == r->states && !r->bounded;
}
