// SPDX-License-Identifier: GPL-2.0-only
/* The session keyring of the command: see keyring.h. */
#include "user/workload/keyring.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not even the number of the own keyring can be had: ENOSYS without keys, EPERM by a filter. */
static bool has_no_keys(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) < 0 &&
	       (errno == ENOSYS || errno == EPERM);
}

int keyring_renew(const struct account *account)
{
	int ret;

	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0) {
		ret = -errno;
		return has_no_keys() ? 0 : ret;
	}
	/*
	 * As after a login. Where the user's quota is used up it stays root's, which serves
	 * as well: only its permissions cannot be changed then.
	 */
	(void)syscall(SYS_keyctl, KEYCTL_CHOWN, KEY_SPEC_SESSION_KEYRING, account->uid,
		      account->gid);
	return 0;
}
