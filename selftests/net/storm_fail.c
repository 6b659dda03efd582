// SPDX-License-Identifier: GPL-2.0
#include "storm.h"

int storm_fail(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 2;
}
