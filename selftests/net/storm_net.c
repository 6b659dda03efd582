// SPDX-License-Identifier: GPL-2.0
/* Around the storm's sockets: namespaces, devices, sysctls, files in /proc. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storm.h"

#define KNOBS "/proc/sys/net/xtcp"

static atomic_int spaces[SPACES];	/* namespaces that threads enter and leave */
static char knobs[128][64];
static u32 n_knobs;

static void knob(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), KNOBS "/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) > 0)
		storm_count(N_SYSCTL, 1);
	close(fd);
}

static void device(const char *name, bool up)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { .ifr_flags = up ? IFF_UP | IFF_RUNNING : 0 };

	strcpy(ifr.ifr_name, name);
	ioctl(s, SIOCSIFFLAGS, &ifr);
	close(s);
}

/* What is left of a connection ends soon. */
static void space_init(void)
{
	device("lo", true);
	knob("tcp_orphan_retries", "1");
	knob("tcp_fin_timeout", "1");
	knob("tcp_timewait_ms", "300");
	knob("tcp_init_rto_ms", "50");
}

void storm_net_init(void)
{
	struct dirent *d;
	DIR *dir = opendir(KNOBS);
	int i;

	while (dir && (d = readdir(dir)) && n_knobs < ARRAY_SIZE(knobs))
		if (d->d_name[0] != '.')
			snprintf(knobs[n_knobs++], sizeof(knobs[0]), "%.63s", d->d_name);
	if (!n_knobs) {
		fprintf(stderr, "storm: no " KNOBS "\n");
		exit(2);
	}
	closedir(dir);
	for (i = 0; i < SPACES; i++)
		spaces[i] = -1;
	spaces[0] = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	space_init();
}

void storm_net_exit(void)
{
	int i;

	for (i = 0; i < SPACES; i++)
		if (spaces[i] >= 0)
			close(spaces[i]);
}

/* Into a new one, which others may enter and which replaces an old one; or into
 * one of those. The first stays.
 */
void call_netns(struct storm *s)
{
	int i = 1 + rnd(s, SPACES - 1), fd;

	if (one_in(s, 2)) {
		fd = spaces[one_in(s, 3) ? 0 : i];
		if (fd >= 0)
			storm_result("setns", setns(fd, CLONE_NEWNET));
		return;
	}
	if (storm_result("unshare", unshare(CLONE_NEWNET)))
		return;
	storm_count(N_NETNS, 1);
	space_init();
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	fd = atomic_exchange(&spaces[i], fd);
	if (fd >= 0)
		close(fd);
}

void call_device(struct storm *s)
{
	device(one_in(s, 2) ? "lo" : "storm0", one_in(s, 3));
	if (!one_in(s, 4))
		device("lo", true);
}

/* How long things last: only what is refused anyway. */
static bool lasting(const char *name)
{
	static const char * const names[] = {
		"tcp_orphan_retries", "tcp_fin_timeout", "tcp_timewait_ms", "tcp_init_rto_ms",
		"tcp_synack_rto_ms", "tcp_rto_min_us", "tcp_rto_max_ms",
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static int some_text(struct storm *s, char *text, int size, bool refused)
{
	int i, n = rnd(s, size);

	switch (rnd(s, refused ? 2 : 6)) {
	case 0:
		for (i = 0; i < n; i++)
			text[i] = rnd(s, 256);
		/* a digit first could make it a number after all */
		text[0] = 'x';
		return n + 1;
	case 1:
		return sprintf(text, "-%u", 1 + rnd(s, 1 << 30));
	case 2:
		return sprintf(text, "%u %u %u", rnd(s, 0), rnd(s, 0), rnd(s, 0));
	case 3:
		return sprintf(text, "%u %u %u", rnd(s, 1 << 16), rnd(s, 1 << 16), rnd(s, 1 << 16));
	case 4:
		return sprintf(text, "%u", rnd(s, 4));
	}
	return sprintf(text, "%u", rnd(s, 1 << rnd(s, 31)));
}

/* Write to one, put the old value back more often than not. */
void call_sysctl(struct storm *s)
{
	const char *name = knobs[rnd(s, n_knobs)];
	char path[128], old[256], text[260];
	int fd, len, n;

	snprintf(path, sizeof(path), KNOBS "/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fd = open(path, one_in(s, 2) ? O_RDONLY : O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	len = pread(fd, old, sizeof(old), 0);
	n = some_text(s, text, 200, lasting(name));
	if (storm_result("sysctl", pwrite(fd, text, n, one_in(s, 10) ? rnd(s, 8) : 0)) > 0)
		storm_count(N_SYSCTL, 1);
	if (one_in(s, 20))
		pread(fd, s->edge - rnd(s, 32), 64, rnd(s, 16));
	if (len > 0 && !one_in(s, 4))
		if (pwrite(fd, old, len, 0) < 0)
			errno = 0;
	close(fd);
}

void call_proc(struct storm *s)
{
	static const char * const files[] = {
		"xtcp", "xtcp6", "xtcp_netstat", "xtcp_states", "xtcp_listen", "protocols",
	};
	char path[64];
	int fd, i;

	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", files[rnd(s, ARRAY_SIZE(files))]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	for (i = rnd(s, 6); i > 0; i--) {
		u32 len = rnd(s, 5000);

		if (one_in(s, 2))
			storm_result("read", read(fd, one_in(s, 10) ? s->edge - rnd(s, 50) : s->buf,
						  len));
		else
			storm_result("pread", pread(fd, s->buf, len, rnd(s, 1 << rnd(s, 31))));
		if (one_in(s, 4))
			lseek(fd, (int)rnd(s, 20000) - 100, rnd(s, 3));
	}
	close(fd);
}
