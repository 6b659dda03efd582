# SPDX-License-Identifier: GPL-2.0
# Random load for selftests/vm/jobs/34-races.sh; included by Makefile.
PROGS += race_stress

# Directed races for selftests/vm/jobs/53-races-smp.sh.
RACE_SRCS := race_smp.c race_wire.c race_duel_sock.c race_duel_wire.c race_duel_world.c
PROGS += race_smp

$(O)/race_smp: $(RACE_SRCS:%=$(SRC)/%) $(SRC)/race_smp.h \
	       $(TOP)/include/uapi/linux/xtcp.h | $(O)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^)
