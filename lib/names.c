/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "names.h"

#include "text.h"

#define FIRST_SIZE 64

void pt_names_done(struct pt_names *names)
{
	for (size_t i = 0; i < names->size; i++)
		free(names->places[i].text);
	free(names->places);
	*names = (struct pt_names){ 0 };
}

/* Where it is, or would be: the first free place from its own on. */
static struct pt_name *place_of(const struct pt_names *names, const char *text,
				uint64_t hash)
{
	size_t i = hash & (names->size - 1);

	while (names->places[i].text &&
	       (names->places[i].hash != hash ||
		strcmp(names->places[i].text, text) != 0))
		i = (i + 1) & (names->size - 1);
	return &names->places[i];
}

struct pt_name *pt_names_find(const struct pt_names *names, const char *text)
{
	struct pt_name *name;

	if (names->count == 0)
		return NULL;
	name = place_of(names, text, pt_text_hash(text, strlen(text)));
	return name->text ? name : NULL;
}

/* At least a quarter stays free, so that there is an end to looking. */
static int make_room(struct pt_names *names)
{
	struct pt_names grown = { .count = names->count };

	if (names->count + 1 <= names->size / 4 * 3)
		return 0;
	grown.size = MAX(names->size * 2, (size_t)FIRST_SIZE);
	grown.places = calloc(grown.size, sizeof(*grown.places));
	if (!grown.places)
		return -ENOMEM;
	for (size_t i = 0; i < names->size; i++) {
		const struct pt_name *name = &names->places[i];

		if (name->text)
			*place_of(&grown, name->text, name->hash) = *name;
	}
	free(names->places);
	*names = grown;
	return 0;
}

struct pt_name *pt_names_add(struct pt_names *names, const char *text)
{
	CLEANUP(freep) char *copy = strdup(text);
	struct pt_name *name;
	uint64_t hash;

	if (!copy || make_room(names) < 0)
		return NULL;
	hash = pt_text_hash(text, strlen(text));
	name = place_of(names, text, hash);
	*name = (struct pt_name){ .text = copy, .hash = hash };
	names->count++;
	copy = NULL;
	return name;
}

/* Closes the gap, for those that were moved on because of it. */
void pt_names_remove(struct pt_names *names, struct pt_name *name)
{
	size_t mask = names->size - 1;
	size_t gap = (size_t)(name - names->places);

	free(name->text);
	names->count--;
	for (size_t i = (gap + 1) & mask; names->places[i].text;
	     i = (i + 1) & mask) {
		size_t own = names->places[i].hash & mask;

		/* its own place is not behind the gap */
		if (((i - own) & mask) >= ((i - gap) & mask)) {
			names->places[gap] = names->places[i];
			gap = i;
		}
	}
	names->places[gap] = (struct pt_name){ 0 };
}
