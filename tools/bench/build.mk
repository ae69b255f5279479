# SPDX-License-Identifier: GPL-2.0-only
# The programs of the benchmark, with the rules and flags of the product:
#	make -f tools/bench/build.mk O=build bench-programs
include GNUmakefile

bench_dir := $(O)/tools/bench

bench-programs: $(O)/kloak $(addprefix $(bench_dir)/,client server floor stamp symbols)

# Applications: with the system's compiler and its OpenSSL.
$(bench_dir)/client $(bench_dir)/server: $(bench_dir)/%: $(O)/host/tools/bench/%.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOST_CC) $(HOST_CFLAGS) -o $@ $^ -lssl -lcrypto -lpthread

# Made of the product's parts, as the product is.
$(bench_dir)/floor $(bench_dir)/stamp $(bench_dir)/symbols: $(bench_dir)/%: $(bench_dir)/%.o \
		$(O)/libkloak.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS)

$(bench_dir)/floor: $(bench_dir)/embedded.o
$(bench_dir)/embedded.S: $(bench_dir)/floor.bpf.o

.PHONY: bench-programs
-include $(wildcard $(bench_dir)/*.d $(O)/host/tools/bench/*.d)
