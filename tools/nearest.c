/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "nearest.h"

#include <string.h>

#define FAR 3 /* letters that differ are too many to be a slip */
#define LONGEST 31

static unsigned int least(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int least = a < b ? a : b;

	return least < c ? least : c;
}

/* Letters to add, drop or change (Levenshtein), by rows of the usual table. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[LONGEST + 1];
	size_t width = strlen(b);

	if (strlen(a) > LONGEST || width > LONGEST)
		return FAR;

	for (unsigned int j = 0; j <= width; j++)
		row[j] = j;
	for (unsigned int i = 1; a[i - 1]; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (unsigned int j = 1; j <= width; j++) {
			unsigned int above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1,
				       diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[width];
}

static unsigned int slips(const char *word, const char *candidate)
{
	size_t n = strlen(word);

	/* cut short rather than misspelt */
	if (n > 1 && strncmp(word, candidate, n) == 0)
		return 1;
	/* with most letters changed it is another word, not a slip */
	return n > 2 ? distance(word, candidate) : FAR;
}

void nearest_consider(struct nearest *nearest, const char *candidate)
{
	unsigned int n = slips(nearest->word, candidate);

	if (n >= FAR || (nearest->best && n >= nearest->distance))
		return;
	nearest->best = candidate;
	nearest->distance = n;
}
