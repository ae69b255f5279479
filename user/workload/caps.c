// SPDX-License-Identifier: GPL-2.0-only
/* Capability sets through the raw system calls: see caps.h. */
#include "user/workload/caps.h"

#include <errno.h>
#include <stddef.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define CAP(name) [CAP_##name] = "CAP_" #name

static const char *const names[] = {
	CAP(CHOWN),
	CAP(DAC_OVERRIDE),
	CAP(DAC_READ_SEARCH),
	CAP(FOWNER),
	CAP(FSETID),
	CAP(KILL),
	CAP(SETGID),
	CAP(SETUID),
	CAP(SETPCAP),
	CAP(LINUX_IMMUTABLE),
	CAP(NET_BIND_SERVICE),
	CAP(NET_BROADCAST),
	CAP(NET_ADMIN),
	CAP(NET_RAW),
	CAP(IPC_LOCK),
	CAP(IPC_OWNER),
	CAP(SYS_MODULE),
	CAP(SYS_RAWIO),
	CAP(SYS_CHROOT),
	CAP(SYS_PTRACE),
	CAP(SYS_PACCT),
	CAP(SYS_ADMIN),
	CAP(SYS_BOOT),
	CAP(SYS_NICE),
	CAP(SYS_RESOURCE),
	CAP(SYS_TIME),
	CAP(SYS_TTY_CONFIG),
	CAP(MKNOD),
	CAP(LEASE),
	CAP(AUDIT_WRITE),
	CAP(AUDIT_CONTROL),
	CAP(SETFCAP),
	CAP(MAC_OVERRIDE),
	CAP(MAC_ADMIN),
	CAP(SYSLOG),
	CAP(WAKE_ALARM),
	CAP(BLOCK_SUSPEND),
	CAP(AUDIT_READ),
	CAP(PERFMON),
	CAP(BPF),
	CAP(CHECKPOINT_RESTORE),
};

_Static_assert(ARRAY_SIZE(names) == CAP_LAST_CAP + 1, "a capability without a name");

int caps_parse(const char *name)
{
	if (strncasecmp(name, "CAP_", 4) == 0)
		name += 4;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i] + 4, name) == 0)
			return (int)i;
	return -EINVAL;
}

const char *caps_name(unsigned int cap)
{
	return cap < ARRAY_SIZE(names) ? names[cap] : NULL;
}

/* Version 3 of the interface has two 32-bit words for each set. */
static int get(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &header, data) ? -errno : 0;
}

static int set(const struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

uint64_t caps_effective(void)
{
	struct __user_cap_data_struct data[2];

	return get(data) ? 0 : (uint64_t)data[1].effective << 32 | data[0].effective;
}

int caps_drop_bounding(uint64_t mask)
{
	for (unsigned int cap = 0; cap < 64; cap++) {
		if (!(mask & CAP_BIT(cap)) || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) <= 0)
			continue; /* not asked for, not there, or unknown to this kernel */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			return -errno;
	}
	return 0;
}

int caps_drop(uint64_t mask)
{
	struct __user_cap_data_struct data[2];
	int ret = get(data);

	if (ret)
		return ret;
	for (int i = 0; i < 2; i++) {
		uint32_t kept = ~(uint32_t)(mask >> (32 * i));

		data[i].effective &= kept;
		data[i].permitted &= kept;
		data[i].inheritable &= kept;
	}
	return set(data); /* the kernel takes the ambient ones with them */
}
