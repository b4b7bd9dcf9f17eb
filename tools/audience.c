/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "audience.h"

#include <assert.h>

void audience_add(struct audience *audience, struct listener *listener)
{
	assert(audience->n < AUDIENCE_MAX);
	audience->listeners[audience->n++] = listener;
}

int audience_attached(struct audience *audience, struct target *target)
{
	target->serial = ++audience->serial;
	audience->left++;
	for (size_t i = 0; i < audience->n; i++) {
		struct listener *listener = audience->listeners[i];
		int r = 0;

		if (listener->calls->attached)
			r = listener->calls->attached(listener, target);
		if (r < 0)
			return tracker_failed("watching", r);
	}
	return 0;
}

void audience_event(struct audience *audience, const struct target *target)
{
	if (target->ended)
		audience->left--;
	for (size_t i = 0; i < audience->n; i++) {
		struct listener *listener = audience->listeners[i];

		if (listener->calls->event)
			listener->calls->event(listener, target);
	}
}

void audience_absent(struct audience *audience, const struct target *target,
		     const struct absence *absence)
{
	for (size_t i = 0; i < audience->n; i++) {
		struct listener *listener = audience->listeners[i];

		if (listener->calls->absent)
			listener->calls->absent(listener, target, absence);
	}
}

void audience_removed(struct audience *audience, const struct target *target)
{
	for (size_t i = 0; i < audience->n; i++) {
		struct listener *listener = audience->listeners[i];

		if (listener->calls->removed)
			listener->calls->removed(listener, target);
	}
}

void audience_forget(struct audience *audience, const struct target *target)
{
	for (size_t i = 0; i < audience->n; i++) {
		struct listener *listener = audience->listeners[i];

		if (listener->calls->forget)
			listener->calls->forget(listener, target);
	}
}

int audience_settle(struct audience *audience)
{
	int first = 0;

	for (size_t i = 0; i < audience->n; i++) {
		struct listener *listener = audience->listeners[i];
		int r = 0;

		if (listener->calls->settle)
			r = listener->calls->settle(listener, audience);
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

int audience_patience(const struct audience *audience)
{
	int least = -1;

	for (size_t i = 0; i < audience->n; i++) {
		const struct listener *listener = audience->listeners[i];
		int ms = -1;

		if (listener->calls->patience)
			ms = listener->calls->patience(listener);
		if (ms >= 0 && (least < 0 || ms < least))
			least = ms;
	}
	return least;
}
