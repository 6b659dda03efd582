/* SPDX-License-Identifier: GPL-2.0 */
/* Into a network namespace that `ip netns add` has made. */
#ifndef XTCP_SELFTESTS_NETNS_H
#define XTCP_SELFTESTS_NETNS_H

#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* The calling thread; ends the program if there is none of that name. */
static inline void netns_enter(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", path);
	close(fd);
}

#endif
