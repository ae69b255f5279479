/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session keyring (session-keyring(7)) is inherited like a descriptor: whoever is in
 * it "possesses" its keys and reads them, whatever his user is. Login fills the
 * caller's with tickets and keys of file systems.
 */
#ifndef KLOAK_WORKLOAD_KEYRING_H
#define KLOAK_WORKLOAD_KEYRING_H

#include "user/workload/account.h"

/*
 * Gives this process an empty session keyring without a name, of @account. To be called
 * while still root: the quota of another user may be used up. The user's own keyring
 * (user-keyring(7)) is not linked to it. 0 or -errno; 0 too where keys do not exist or
 * are forbidden to this process and so to the command (a container's filter).
 */
int keyring_renew(const struct account *account);

#endif
