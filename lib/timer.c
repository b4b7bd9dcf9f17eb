/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "timer.h"

#include "sys.h"

int pt_timer_new(int64_t ns)
{
	CLEANUP(fd_closep) int timer = -1;
	int r;

	timer = r = sys_timerfd();
	if (r >= 0)
		r = sys_timerfd_at(timer, ns);
	return r < 0 ? r : fd_take(&timer);
}
