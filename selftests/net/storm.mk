# SPDX-License-Identifier: GPL-2.0
# The segment blaster and the syscall storm; included by Makefile.
PROGS += blast

BLAST_SRCS := blast.c blast_wire.c blast_mutate.c blast_prey.c blast_good.c
$(O)/blast: $(BLAST_SRCS:%=$(SRC)/%) $(SRC)/blast.h $(TOP)/include/uapi/linux/xtcp.h | $(O)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^)
