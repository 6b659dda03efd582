// SPDX-License-Identifier: GPL-2.0
/* Duels in which a namespace or the module itself goes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/xtcp.h>

#include "race_smp.h"

#define PORT	7100

static void command(const char *text)
{
	if (system(text))
		die("%s", text);
}

static void swallow(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[4096];

	while (fd >= 0 && read(fd, buf, sizeof(buf)) > 0)
		;
	if (fd >= 0)
		close(fd);
}

/* ------------------------------------------------------- a namespace's exit */

static pid_t victim;

/* In the namespace that will die: serve whoever comes, and ourselves, until killed. */
static void __attribute__((noreturn)) victim_main(int ready, int go)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_storage ss;
	socklen_t len;
	char c = 0;
	int fd, lfd;

	new_namespace();
	if (write(ready, &c, 1) != 1 || read(go, &c, 1) != 1)
		die("victim");
	command("ip addr add 10.98.0.2/24 dev rv1; ip link set rv1 up");
	lfd = xsock(0, SOCK_NONBLOCK);
	if (bind(lfd, (void *)&any, sizeof(any)) || listen(lfd, 8))
		die("victim's listener");
	if (write(ready, &c, 1) != 1)
		die("victim");
	for (;;) {
		fd = xsock(0, SOCK_NONBLOCK);
		len = loop_addr(&ss, 0, PORT);
		connect(fd, (void *)&ss, len);
		while ((c = accept4(lfd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
			close(c);
		close(fd);
	}
}

static void setup_victim(unsigned int round)
{
	int ready[2], go[2];
	char text[100], c = 0;

	(void)round;
	if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		die("pipe");
	victim = fork();
	if (!victim)
		victim_main(ready[1], go[0]);
	if (victim < 0 || read(ready[0], &c, 1) != 1)
		die("fork");
	snprintf(text, sizeof(text), "ip link add rv0 type veth peer name rv1 netns %d", victim);
	command(text);
	command("ip addr add 10.98.0.1/24 dev rv0; ip link set rv0 up");
	if (write(go[1], &c, 1) != 1 || read(ready[0], &c, 1) != 1)
		die("victim did not come up");
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
}

static void act_kill(unsigned int round)
{
	poll(NULL, 0, rnd(30));
	kill(victim, SIGKILL);
	waitpid(victim, NULL, 0);
	(void)round;
}

/* Segments into it, while it dies and after. */
static void act_call(unsigned int round)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int i, fd;

	(void)round;
	inet_pton(AF_INET, "10.98.0.2", &to.sin_addr);
	for (i = 0; i < 60; i++) {
		fd = xsock(0, SOCK_NONBLOCK);
		connect(fd, (void *)&to, sizeof(to));
		send(fd, "hello", 5, MSG_NOSIGNAL);
		if (i % 3)
			abort_fd(fd);
		else
			close(fd);
	}
}

static void act_walk(unsigned int round)
{
	int i;

	(void)round;
	for (i = 0; i < 10; i++) {
		swallow("/proc/net/xtcp");
		swallow("/proc/net/xtcp_states");
	}
}

/* Its devices are gone when ours is. */
static void check_victim(unsigned int round)
{
	int ms;

	(void)round;
	for (ms = 0; if_nametoindex("rv0"); ms += 5) {
		if (ms >= PATIENCE_MS) {
			strange("the namespace does not die");
			return;
		}
		poll(NULL, 0, 5);
	}
}

/* ------------------------------------------------------------- the module's */

static struct wire left[8];
static char modprobe[200];

static bool get_line(const char *path, char *to, size_t size)
{
	FILE *f = fopen(path, "r");
	bool ok = f && fgets(to, size, f);

	if (f)
		fclose(f);
	to[ok ? strcspn(to, "\n") : 0] = 0;
	return ok;
}

static void set_line(const char *path, const char *value)
{
	FILE *f = fopen(path, "w");

	if (!f || fprintf(f, "%s\n", value) < 0 || fclose(f))
		die("%s", path);
}

/* No program shall be called for the family while it is away. */
static void begin_module(void)
{
	get_line("/proc/sys/kernel/modprobe", modprobe, sizeof(modprobe));
	set_line("/proc/sys/kernel/modprobe", "");
	wire_init();
	race_focus("EXIT_", "5000");
}

static void end_module(void)
{
	race_focus(NULL, NULL);
	set_line("/proc/sys/kernel/modprobe", modprobe);
}

/* TIME-WAIT entries of long life stay behind. */
static void setup_module(unsigned int round)
{
	int lport, lfd, fd;
	unsigned int i;

	(void)round;
	sysctl_set("tcp_timewait_ms", "5000");
	sysctl_set("tcp_orphan_retries", "1");
	lfd = wire_listen(&lport, 16);
	for (i = 0; i < ARRAY_SIZE(left); i++) {
		fd = wire_open(&left[i], lfd, lport);
		if (fd < 0)
			break;
		shutdown(fd, SHUT_WR);
		wire_await(&left[i], TH_FIN);
		wire_tx(&left[i], TH_FIN | TH_ACK, 1, 2, 0);
		close(fd);
	}
	close(lfd);
}

/* Out as soon as nobody has a socket for a moment, and in again. */
static void act_reload(unsigned int round)
{
	int fd, tries;

	(void)round;
	for (tries = 0; syscall(SYS_delete_module, "xtcp", O_NONBLOCK); tries++) {
		if (errno != EAGAIN && errno != EBUSY) {
			strange("rmmod: %s", strerror(errno));
			return;
		}
		/* a socket's memory goes after a grace period */
		poll(NULL, 0, 1);
		if (tries > PATIENCE_MS) {
			strange("rmmod: busy for ever");
			return;
		}
	}
	fd = open(module_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		die("%s", module_path);
	close(fd);
	race_focus("EXIT_", "5000");
}

static void act_socket(unsigned int round)
{
	struct sockaddr_storage ss;
	socklen_t len = loop_addr(&ss, 0, 0);
	int i, fd;

	for (i = 0; i < 30; i++) {
		fd = socket(AF_XTCP, SOCK_STREAM | SOCK_CLOEXEC, XTCP_PROTO_IPV4);
		if (fd < 0) {
			if (errno != EAFNOSUPPORT && errno != ESOCKTNOSUPPORT)
				strange("socket: %s", strerror(errno));
		} else {
			if (i % 2) {
				bind(fd, (void *)&ss, len);
				listen(fd, 1);
			}
			close(fd);
		}
		poll(NULL, 0, rnd(3));
	}
	(void)round;
}

static void act_late(unsigned int round)
{
	unsigned int i, k;

	(void)round;
	for (i = 0; i < 40; i++) {
		for (k = 0; k < ARRAY_SIZE(left); k++)
			wire_tx(&left[k], TH_FIN | TH_ACK, 1, 2, 0);
		jitter();
	}
}

const struct duel world_duels[] = {
	{ "a namespace's exit against segments and dumps", 10, NULL, setup_victim,
	  { act_kill, act_call, act_call, act_walk }, check_victim, NULL },
	{ "rmmod against socket(), TIME-WAIT, segments and dumps", 12, begin_module, setup_module,
	  { act_reload, act_socket, act_late, act_walk }, NULL, end_module },
};

const unsigned int n_world_duels = ARRAY_SIZE(world_duels);
