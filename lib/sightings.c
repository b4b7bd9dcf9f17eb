/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "sightings.h"

#define LEAST 64

void pt_sightings_done(struct pt_sightings *sightings)
{
	free(sightings->places);
	*sightings = (struct pt_sightings){ 0 };
}

/* Its place, or the free one it would have.  Numbers come one by one. */
static struct pt_sighting *place_of(const struct pt_sightings *sightings,
				    pid_t pid)
{
	size_t at = (size_t)pid & (sightings->size - 1);

	while (sightings->places[at].pid != 0 &&
	       sightings->places[at].pid != pid)
		at = (at + 1) & (sightings->size - 1);
	return &sightings->places[at];
}

struct pt_sighting *pt_sightings_find(const struct pt_sightings *sightings,
				      pid_t pid)
{
	struct pt_sighting *place;

	if (sightings->size == 0)
		return NULL;
	place = place_of(sightings, pid);
	return place->pid == pid ? place : NULL;
}

/* Moves those of @round and later to as many places as they need. */
static int move(struct pt_sightings *sightings, size_t n, uint32_t round)
{
	struct pt_sightings moved = { .size = LEAST };

	while (moved.size < 2 * n)
		moved.size *= 2;
	moved.places = calloc(moved.size, sizeof(*moved.places));
	if (!moved.places)
		return -1;
	for (size_t i = 0; i < sightings->size; i++) {
		const struct pt_sighting *seen = &sightings->places[i];

		if (seen->pid == 0 || seen->round < round)
			continue;
		*place_of(&moved, seen->pid) = *seen;
		moved.n++;
	}
	pt_sightings_done(sightings);
	*sightings = moved;
	return 0;
}

struct pt_sighting *pt_sightings_add(struct pt_sightings *sightings, pid_t pid)
{
	struct pt_sighting *place = pt_sightings_find(sightings, pid);

	if (place)
		return place;
	if (2 * (sightings->n + 1) > sightings->size &&
	    move(sightings, 2 * (sightings->n + 1), 0) < 0)
		return NULL;
	place = place_of(sightings, pid);
	*place = (struct pt_sighting){ .pid = pid };
	sightings->n++;
	return place;
}

void pt_sightings_forget(struct pt_sightings *sightings, uint32_t round)
{
	size_t n = 0;

	for (size_t i = 0; i < sightings->size; i++)
		n += sightings->places[i].pid != 0 &&
		     sightings->places[i].round >= round;
	if (n == 0)
		pt_sightings_done(sightings);
	else if (n < sightings->n)
		move(sightings, n, round); /* without memory they stay */
}
