// SPDX-License-Identifier: GPL-2.0
/*
 * blast [-n SEGMENTS] [-s SEED] [-t SECONDS]: the segment blaster, see blast.h.
 *
 * Passes if no good connection broke, every state was reached, and what was
 * sent in vain is counted by name. -t is when it gives itself up.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blast.h"

#define MAX_DROPS 64

struct blast blast = { .seed = 1, .wanted = 100000 };

void blast_die(const char *fmt, ...)
{
	va_list ap;

	printf("not ok - blast: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n# seed %llu, %llu segments sent\n", (unsigned long long)blast.seed,
	       (unsigned long long)blast.sent);
	fflush(stdout);
	_exit(1);
}

static void on_alarm(int sig)
{
	static const char text[] = "not ok - blast: not finished in time\n";

	(void)sig;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

void pump(void)
{
	struct heard h;
	int host;

	for (host = HOST_A; host <= HOST_B; host++) {
		while (wire_hear(host, &h)) {
			if (host == HOST_B ? h.dst == HOST_A : h.dst == HOST_B)
				good_forward(host, &h);
			else if (host == HOST_A)
				prey_hear(&h);
		}
	}
}

/* ---- the counters of A */

static struct drop {
	char name[32];
	unsigned long n;
} drops[MAX_DROPS];

static void read_drops(void)
{
	FILE *f = fopen("/proc/thread-self/net/xtcp_netstat", "r");
	char names[8192], values[8192], *n, *v, *ns, *vs;
	u32 k = 0;

	if (!f)
		blast_die("xtcp_netstat: %s", strerror(errno));
	while (fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
		n = strtok_r(names, " \n", &ns);
		v = strtok_r(values, " \n", &vs);
		for (; n && v; n = strtok_r(NULL, " \n", &ns), v = strtok_r(NULL, " \n", &vs)) {
			if (strncmp(n, "Drop", 4) || k == MAX_DROPS)
				continue;
			snprintf(drops[k].name, sizeof(drops[k].name), "%s", n + 4);
			drops[k++].n = strtoul(v, NULL, 10);
		}
	}
	fclose(f);
}

static unsigned long drop_count(const char *name)
{
	u32 i;

	for (i = 0; i < MAX_DROPS; i++)
		if (!strcmp(drops[i].name, name))
			return drops[i].n;
	blast_die("no counter Drop%s", name);
}

/* Each of these is what some of the shots must have met. */
static bool drops_verdict(void)
{
	static const char * const met[] = {
		"Csum", "Hdr", "ListenFlags", "ListenAck", "CookieBad", "Seq", "Old", "Paws",
		"RstSeq", "RstChallenge", "SynChallenge", "NoAck", "AckFuture", "AckOld",
		"AckBad", "RstBad", "NoSyn", "AfterClose", "AfterFin", "TwOld", "IcmpSeq",
	};
	unsigned long sum = 0;
	bool good = true;
	u32 i;

	read_drops();
	printf("#");
	for (i = 0; i < MAX_DROPS; i++) {
		if (drops[i].n)
			printf(" %s %lu", drops[i].name, drops[i].n);
		sum += drops[i].n;
	}
	printf("\n# %lu drops of %llu segments\n", sum, (unsigned long long)blast.sent);
	for (i = 0; i < ARRAY_SIZE(met); i++) {
		if (drop_count(met[i]))
			continue;
		printf("# nothing was dropped as %s\n", met[i]);
		good = false;
	}
	if (drop_count("Csum") < blast.bad_csum) {
		printf("# %llu wrong checksums, %lu counted\n",
		       (unsigned long long)blast.bad_csum, drop_count("Csum"));
		good = false;
	}
	return good && sum > blast.sent / 3;
}

/* Every state of RFC 9293 was entered. */
static bool states_verdict(void)
{
	FILE *f = fopen("/proc/thread-self/net/xtcp_states", "r");
	unsigned long now, entered, left;
	char line[128], name[32];
	bool good = true;
	int n = 0;

	if (!f)
		blast_die("xtcp_states: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31s %lu %lu %lu", name, &now, &entered, &left) != 4)
			continue;
		n++;
		if (entered < blast.wanted / 20000 && strcmp(name, "CLOSE") &&
		    strcmp(name, "LISTEN")) {
			printf("# %s entered %lu times\n", name, entered);
			good = false;
		}
	}
	fclose(f);
	return good && n == 11;
}

/* ---- */

static void volley(void (*shot)(void), int n)
{
	while (n--) {
		shot();
		if (n % 8 == 0)
			pump();
	}
}

static void run(void)
{
	while (blast.sent < blast.wanted) {
		prey_round();
		volley(good_shoot, 30);
		volley(prey_listener, 15);
		/* let the programs run, and the time where it is virtual */
		wire_wait(1);
		pump();
	}
	good_stop();
	while (good_running()) {
		pump();
		wire_wait(10);
	}
}

static bool report(int nth, const char *what, bool good)
{
	printf("%sok %d - %s\n", good ? "" : "not ", nth, what);
	return good;
}

int main(int argc, char **argv)
{
	int c, limit_s = 300;
	bool good;

	while ((c = getopt(argc, argv, "n:s:t:")) != -1) {
		if (c == 'n')
			blast.wanted = strtoull(optarg, NULL, 0);
		else if (c == 's')
			blast.seed = strtoull(optarg, NULL, 0);
		else if (c == 't')
			limit_s = atoi(optarg);
		else
			return 2;
	}
	printf("# seed %llu, %llu segments\n1..4\n", (unsigned long long)blast.seed,
	       (unsigned long long)blast.wanted);
	fflush(stdout);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, on_alarm);
	alarm(limit_s);
	wire_init();
	prey_init();
	good_init();
	run();
	printf("# %llu segments sent, %llu heard\n", (unsigned long long)blast.sent,
	       (unsigned long long)blast.heard);
	good = report(1, "no good connection broke", good_verdict());
	good &= report(2, "the prey came into every state", prey_verdict());
	good &= report(3, "every state was entered", states_verdict());
	good &= report(4, "what was sent in vain is counted by its reason", drops_verdict());
	fflush(stdout);
	return !good;
}
