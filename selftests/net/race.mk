# SPDX-License-Identifier: GPL-2.0
# Random load for selftests/vm/jobs/34-races.sh; included by Makefile.
PROGS += race_stress
