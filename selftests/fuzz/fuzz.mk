# SPDX-License-Identifier: GPL-2.0
#
# libFuzzer targets, included by ../user.mk. Binaries, corpora and what broke
# them go to build/fuzz; seeds are made by the targets themselves.
#
#   fuzz-build  all targets
#   fuzz-check  each of them FUZZ_S seconds, FUZZ_JOBS at a time; TAP

CLANG	?= clang
FUZZ_S	?= 60
FUZZ_JOBS ?= 1
FO	:= $(TOP)/build/fuzz

FUZZ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_FLAGS := -std=gnu11 -D_GNU_SOURCE -g -O1 $(WARN) -Wno-sign-compare -Wno-missing-field-initializers $(FUZZ_SAN)

FZ	:= $(patsubst $(T)fuzz/%.c,%,$(wildcard $(T)fuzz/fz_*.c))
FUZZ_GLUE := $(patsubst $(T)fuzz/%.c,$(FO)/obj/%.o,$(wildcard $(T)fuzz/glue_*.c))
FUZZ_CORE := $(patsubst $(TOP)/src/core/%.c,$(FO)/obj/core/%.o,$(CORE))
FUZZ_TOOLS := $(FO)/obj/tools/trace_parse.o $(FO)/obj/tools/trace_ladder.o

.PHONY: fuzz-build fuzz-check
.SECONDARY: $(FUZZ_GLUE) $(FUZZ_CORE) $(FUZZ_TOOLS) $(FZ:%=$(FO)/obj/%.o)
fuzz-build: $(FZ:%=$(FO)/bin/%)

$(FO)/bin $(FO)/obj $(FO)/obj/core $(FO)/obj/tools:
	@mkdir -p $@

$(FO)/obj/%.o: $(T)fuzz/%.c $(HDR) | $(FO)/obj
	@$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<
$(FO)/obj/core/%.o: $(TOP)/src/core/%.c $(HDR) | $(FO)/obj/core
	@$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<
$(FO)/obj/tools/%.o: $(TOP)/src/tools/%.c $(TOP)/src/tools/xtcp_trace.h | $(FO)/obj/tools
	@$(CLANG) $(FUZZ_FLAGS) -I$(TOP)/include -fsanitize=fuzzer-no-link -c -o $@ $<

# only this one reads traces
$(FO)/bin/fz_trace: $(FUZZ_TOOLS)
$(FO)/bin/%: $(FO)/obj/%.o $(FUZZ_GLUE) $(FUZZ_CORE) | $(FO)/bin
	@$(CLANG) $(FUZZ_SAN) -fsanitize=fuzzer -o $@ $^

fuzz-check: fuzz-build
	@FUZZ_S=$(FUZZ_S) FUZZ_JOBS=$(FUZZ_JOBS) $(T)fuzz/run $(FO) $(FZ)
