# SPDX-License-Identifier: GPL-2.0
# The segment blaster and the syscall storm; included by Makefile.
PROGS += blast

BLAST_SRCS := blast.c blast_wire.c blast_mutate.c blast_prey.c blast_good.c
$(O)/blast: $(BLAST_SRCS:%=$(SRC)/%) $(SRC)/blast.h $(SRC)/packet.h $(TOP)/include/uapi/linux/xtcp.h | $(O)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^)

PROGS += storm
STORM_SRCS := storm.c storm_calls.c storm_opts.c storm_net.c storm_uring.c storm_fail.c
$(O)/storm: $(STORM_SRCS:%=$(SRC)/%) $(SRC)/storm.h $(TOP)/include/uapi/linux/xtcp.h | $(O)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^)
