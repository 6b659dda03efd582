// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the raw tests: each in a process and a network namespace of its own,
 * several at a time since most of them wait for timers, results in order as TAP.
 */
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw_peer.h"

#define MAX_ALONE 4	/* failures that get a second try; more are no accident */
#define MAX_RUNS 8192
#define LONG_S 20000	/* limit of a T_LONG test, virtual seconds */

static struct raw_test *tests;

struct run {
	struct raw_test *test;
	bool xtcp, v6;
	pid_t pid;
	int out, status;
	u64 start_us, end_us;
};

static struct run runs[MAX_RUNS];
static int n_runs, timeout_s = 100;

void raw_register(struct raw_test *t)
{
	struct raw_test **at = &tests;

	/* constructors of one file run in order of definition */
	while (*at)
		at = &(*at)->next;
	*at = t;
}

static void on_alarm(int sig)
{
	(void)sig;
	raw_log_pause(false);
	raw_log("FAILED: not finished after %d s", timeout_s);
	raw_log_dump();
	raw_exit(1);
}

static void child(struct run *r)
{
	struct peer p;

	int i;

	dup2(r->out, STDOUT_FILENO);
	/* a run that waits for its turn to be shown has its output open */
	for (i = 0; i < n_runs; i++)
		if (runs[i].out > STDERR_FILENO)
			close(runs[i].out);
	signal(SIGALRM, on_alarm);
	signal(SIGPIPE, SIG_IGN);
	alarm(r->test->flags & T_LONG ? LONG_S : timeout_s);
	raw.xtcp = r->xtcp;
	raw.v6 = r->v6;
	if (unshare(CLONE_NEWNET))
		FAIL("unshare: %m");
	raw_init();
	sut_sysctl("tcp_fin_timeout", "3");
	/* the kernel's TCP without what AF_XTCP does not have */
	if (!raw.xtcp) {
		sut_sysctl("tcp_syncookies", "0");
		sut_sysctl("tcp_early_retrans", "0");
		sut_sysctl("tcp_syn_linear_timeouts", "0");
	}
	peer_init(&p);
	r->test->run(&p);
	if (getenv("RAW_VERBOSE"))
		raw_log_dump();
	raw_exit(0);
}

static void start(struct run *r)
{
	r->out = memfd_create("out", MFD_CLOEXEC);
	fflush(stdout);
	r->start_us = raw_now_us();
	r->pid = fork();
	if (!r->pid)
		child(r);
	if (r->pid < 0 || r->out < 0) {
		perror("fork");
		exit(1);
	}
}

static void reap(void)
{
	int status, i;
	pid_t pid = wait(&status);

	for (i = 0; i < n_runs; i++) {
		if (runs[i].pid != pid)
			continue;
		runs[i].status = status;
		runs[i].end_us = raw_now_us();
		runs[i].pid = -1;
	}
}

static bool skipped(const struct run *r)
{
	return WIFEXITED(r->status) && WEXITSTATUS(r->status) == RAW_SKIP;
}

static bool passed(const struct run *r)
{
	return skipped(r) || (WIFEXITED(r->status) && !WEXITSTATUS(r->status));
}

static void show_output(struct run *r)
{
	char buf[4096];
	ssize_t n;

	lseek(r->out, 0, SEEK_SET);
	while ((n = read(r->out, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, n, stdout);
	close(r->out);
}

/* All others have ended. What it said the first time stays in the log. */
static void run_alone(struct run *r)
{
	show_output(r);
	printf("# raw/%s/v%d/%s failed beside others on its processors: once more, alone\n",
	       r->xtcp ? "xtcp" : "tcp", r->v6 ? 6 : 4, r->test->name);
	start(r);
	waitpid(r->pid, &r->status, 0);
	r->end_us = raw_now_us();
	r->pid = -1;
}

static bool report(int nth, struct run *r)
{
	bool skip = skipped(r), ok = passed(r);

	show_output(r);
	if (WIFSIGNALED(r->status))
		printf("# killed by signal %d\n", WTERMSIG(r->status));
	printf("%s %d - raw/%s/v%d/%s (%s) %.1f s%s\n", ok ? "ok" : "not ok", nth,
	       r->xtcp ? "xtcp" : "tcp", r->v6 ? 6 : 4, r->test->name,
	       r->test->source, (r->end_us - r->start_us) / 1e6, skip ? " # SKIP" : "");
	fflush(stdout);
	return ok;
}

/* All tests of AF_XTCP have ended: soon nothing holds the module. */
static bool module_is_free(int nth)
{
	u64 end = raw_now_us() + 40000000ull;
	int users = -1;

	while (users && raw_now_us() < end) {
		FILE *f = fopen("/sys/module/xtcp/refcnt", "r");

		if (!f || fscanf(f, "%d", &users) != 1)
			break;
		fclose(f);
		poll(NULL, 0, 20);
	}
	printf("%sok %d - no socket is left (module users: %d)\n", users ? "not " : "",
	       nth, users);
	return !users;
}

static void plan(const char *family, const char *ip, const char *pattern, bool long_too)
{
	struct raw_test *t;
	int x, v6;

	for (x = 0; x < 2; x++)
		for (v6 = 0; v6 < 2; v6++)
			for (t = tests; t; t = t->next) {
				if (!(t->flags & (x ? T_XTCP : T_TCP)) ||
				    (t->flags & (v6 ? T_V4 : T_V6)) ||
				    (t->flags & T_LONG && !long_too) ||
				    !strcmp(family, x ? "tcp" : "xtcp") ||
				    !strcmp(ip, v6 ? "4" : "6") ||
				    fnmatch(pattern, t->name, 0))
					continue;
				if (n_runs == MAX_RUNS)
					return;
				runs[n_runs].test = t;
				runs[n_runs].xtcp = x;
				runs[n_runs++].v6 = v6;
			}
}

static void usage(void)
{
	fprintf(stderr, "usage: raw_test [-f tcp|xtcp|all] [-i 4|6|all] [-j N] [-t PATTERN]\n"
		"                [-s SLACK_MS] [-l] [-V]\n"
		"-V: time is virtual, so the tests that wait for hours, too\n");
	exit(2);
}

/* As many outputs may be waiting as there are runs. */
static void raise_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

int main(int argc, char **argv)
{
	const char *family = "all", *ip = "all", *pattern = "*";
	int c, i, next = 0, running = 0, shown = 0, alone = 0, jobs = 16, bad = 0;
	bool list = false, any_xtcp;

	while ((c = getopt(argc, argv, "f:i:j:t:s:lV")) != -1) {
		switch (c) {
		case 'f':
			family = optarg;
			break;
		case 'i':
			ip = optarg;
			break;
		case 'j':
			jobs = atoi(optarg);
			break;
		case 't':
			pattern = optarg;
			break;
		case 's':
			raw.slack_ms = atoi(optarg);
			break;
		case 'l':
			list = true;
			break;
		case 'V':
			raw.virt = true;
			break;
		default:
			usage();
		}
	}
	raise_limit();
	plan(family, ip, pattern, raw.virt || list);
	if (list) {
		for (i = 0; i < n_runs; i++)
			printf("%s\n", runs[i].test->name);
		return 0;
	}
	if (!n_runs || jobs < 1)
		usage();
	any_xtcp = runs[n_runs - 1].xtcp;
	if (any_xtcp)
		raw_trace_hold(true);
	printf("TAP version 13\n1..%d\n", n_runs + any_xtcp);
	while (shown < n_runs) {
		while (next < n_runs && running < jobs) {
			start(&runs[next++]);
			running++;
		}
		if (runs[shown].pid != -1) {
			reap();
			running--;
			continue;
		}
		/* times are real where no clock is virtual, and a machine may be busy */
		if (!passed(&runs[shown]) && !raw.virt && alone < MAX_ALONE) {
			for (; running; running--)
				reap();
			run_alone(&runs[shown]);
			alone++;
		}
		bad += !report(shown + 1, &runs[shown]);
		shown++;
	}
	if (any_xtcp) {
		raw_trace_hold(false);
		bad += !module_is_free(n_runs + 1);
	}
	printf("# %d tests, %d failed, %d tried twice\n", n_runs, bad, alone);
	return bad != 0;
}
