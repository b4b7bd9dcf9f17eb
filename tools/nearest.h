/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Of several words, the one a misspelt word was probably meant to be.
 */
#ifndef NEAREST_H
#define NEAREST_H

struct nearest {
	const char *word;      /* as it was spelt */
	const char *best;      /* NULL while none is near */
	unsigned int distance; /* letters that differ between the two */
};

void nearest_consider(struct nearest *nearest, const char *candidate);

#endif
