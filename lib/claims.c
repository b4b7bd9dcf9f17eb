/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "claims.h"

#include <stdatomic.h>

#include "sys.h"

/*
 * A byte for each number there can be (PID_MAX_LIMIT, threads.h); memory comes
 * with the pages that are written to, one for 4096 numbers.
 */
#define NUMBERS (1 << 22)
#define MANY UINT8_MAX /* so many that nobody counts: claimed for ever */

struct claims {
	/*
	 * Launches are of two kinds, and those that begin now are of one: so
	 * the other kind comes to an end, though there is always a launch.
	 */
	_Atomic uint32_t kind;
	_Atomic uint32_t begun[2];
	_Atomic uint8_t of[];
};

#define SIZE (sizeof(struct claims) + NUMBERS)

static struct claims *_Atomic claims; /* for the life of this process */

int pt_claims_ready(void)
{
	struct claims *before = NULL;
	void *memory = NULL;
	int r;

	if (claims)
		return 0;
	r = sys_map_wiped(SIZE, MAP_NORESERVE, &memory);
	if (!memory)
		return r;
	sys_small_pages(memory, SIZE);
	if (!atomic_compare_exchange_strong(&claims, &before, memory))
		sys_unmap(memory, SIZE); /* another thread was first */
	return 0;
}

static _Atomic uint8_t *claims_of(pid_t pid)
{
	return claims && pid > 0 && pid < NUMBERS ? &claims->of[pid] : NULL;
}

static void change(pid_t pid, uint8_t limit, int by)
{
	_Atomic uint8_t *of = claims_of(pid);
	uint8_t n = of ? *of : MANY;

	while (n != MANY && n != limit &&
	       !atomic_compare_exchange_weak(of, &n, (uint8_t)(n + by)))
		;
}

void pt_claims_add(pid_t pid)
{
	change(pid, MANY, 1);
}

void pt_claims_drop(pid_t pid)
{
	change(pid, 0, -1);
}

bool pt_claims_has(pid_t pid)
{
	const _Atomic uint8_t *of = claims_of(pid);

	return !of || *of > 0;
}

int pt_claims_begin(void)
{
	int kind;

	if (!claims)
		return -1;
	kind = (int)(claims->kind & 1);
	claims->begun[kind]++;
	return kind;
}

void pt_claims_end(int begun)
{
	if (begun >= 0)
		claims->begun[begun]--;
}

bool pt_claims_are_calm(struct pt_calm *calm, int64_t since_ns)
{
	for (uint32_t kind = 0; kind < 2; kind++) {
		const int64_t now_ns = sys_now_ns();

		/* each begins before it makes a child: that one is over */
		if (claims->begun[kind] == 0)
			calm->ns[kind] = now_ns;
	}
	if (calm->ns[0] >= since_ns && calm->ns[1] >= since_ns)
		return true;
	/* those that begin from now on are of the kind that has ended */
	if (calm->ns[~claims->kind & 1] >= since_ns)
		claims->kind++;
	return false;
}
