// SPDX-License-Identifier: GPL-2.0
/*
 * explore [OPTION...] [WORLD...]: all states of small worlds, TAP. Without
 * names, the edges taken in all of them must be the rows of include/xtcp/edges.h.
 */
#include "world.h"

static u32 taken[XTCP_NR_STATES][XTCP_NR_STATES];

static const struct { u8 from, to; } rows[] = {
#define XTCP_EDGE(from, to, why) { XTCP_##from, XTCP_##to },
#include "../../include/xtcp/edges.h"
#undef XTCP_EDGE
};

bool edge_listed(u8 from, u8 to)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].from == from && rows[i].to == to)
			return true;
	return false;
}

void edge_taken(u8 from, u8 to)
{
	if (!edge_listed(from, to))
		fail("%s -> %s is no row of edges.h", xtcp_state_name(from), xtcp_state_name(to));
	taken[from][to]++;
}

/*
 * The core refuses what is no row, and says nothing; here whoever asks for it
 * is found out (the linker's --wrap).
 */
void __real_xtcp_state_set(struct xtcp_tcb *t, u8 to, const char *cause, struct xtcp_verdict *v);
void __wrap_xtcp_state_set(struct xtcp_tcb *t, u8 to, const char *cause, struct xtcp_verdict *v);

void __wrap_xtcp_state_set(struct xtcp_tcb *t, u8 to, const char *cause, struct xtcp_verdict *v)
{
	if (!edge_listed(t->state, to))
		fail("the engine asks for %s -> %s (%s), no row of edges.h",
		     xtcp_state_name(t->state), xtcp_state_name(to), cause);
	__real_xtcp_state_set(t, to, cause, v);
}

static unsigned int n_tests, n_failed;

static void result(bool good, const char *what)
{
	n_tests++;
	n_failed += !good;
	printf("%sok %u - %s\n", good ? "" : "not ", n_tests, what);
	fflush(stdout);
}

static struct choice {
	u32 max;
	bool large, stop;
	const char *budget;
} opt = { .max = 20000000 };

static void run(const struct scenario *s, struct result *sum)
{
	struct scenario mine = *s;
	struct result r;
	char text[200];
	unsigned int i;
	bool good;

	if (opt.budget && sscanf(opt.budget, "%hhu,%hhu,%hhu,%hhu,%hhu", &mine.loss, &mine.dup,
				 &mine.late, &mine.slow, &mine.abort) < 1) {
		fprintf(stderr, "explore: what is the budget %s?\n", opt.budget);
		exit(2);
	}
	sc = &mine;
	world_tune();
	good = search(opt.max, &r);
	snprintf(text, sizeof(text),
		 "%s: %u states, %llu transitions, depth %u; %u ends, %u of them silent%s",
		 s->name, r.states, r.transitions, r.depth, r.ends + r.silent, r.silent,
		 r.bounded ? "; NOT ALL: stopped at the limit" : "");
	result(good, text);
	for (i = 0; i < ARRAY_SIZE(r.reason) && r.reason[i].n; i++)
		printf("# silent, %u: %s\n", r.reason[i].n, r.reason[i].why);
	sum->states += r.states;
	sum->transitions += r.transitions;
}

static void check_edges(void)
{
	char text[100];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		u8 from = rows[i].from, to = rows[i].to;

		snprintf(text, sizeof(text), "edge %s -> %s taken, %u times",
			 xtcp_state_name(from), xtcp_state_name(to), taken[from][to]);
		result(taken[from][to], text);
	}
}

static bool wanted(const struct scenario *s, char **name, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (!strcmp(name[i], s->name))
			return true;
	return !n && (opt.large || !s->large);
}

static const char usage[] =
	"usage: explore [OPTION...] [WORLD...]\n"
	"  --large          the large worlds, too\n"
	"  --stop           after the first bad world\n"
	"  --max STATES     a world with more is bad\n"
	"  --budget LOSS,DUP,LATE,SLOW,ABORT  how often each may happen, in all worlds\n";

/* Returns how many arguments were options. */
static int options(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--large")) {
			opt.large = true;
		} else if (!strcmp(argv[i], "--stop")) {
			opt.stop = true;
		} else if (!strcmp(argv[i], "--max") && i + 1 < argc) {
			opt.max = strtoul(argv[++i], NULL, 0);
		} else if (!strcmp(argv[i], "--budget") && i + 1 < argc) {
			opt.budget = argv[++i];
		} else {
			fputs(usage, stderr);
			exit(2);
		}
	}
	return i;
}

int main(int argc, char **argv)
{
	struct result sum = { 0 };
	int first = options(argc, argv);
	unsigned int i;

	for (i = 0; i < n_scenarios && !(opt.stop && n_failed); i++)
		if (wanted(&scenarios[i], argv + first, argc - first))
			run(&scenarios[i], &sum);
	if (!n_tests)
		result(false, "there is such a world");
	if (first == argc && !opt.budget)
		check_edges();
	printf("1..%u\n", n_tests);
	printf("# %u states, %llu transitions; %u passed, %u failed\n", sum.states,
	       sum.transitions, n_tests - n_failed, n_failed);
	return !!n_failed;
}
