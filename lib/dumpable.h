/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Keeps the host as dumpable as it was (prctl(2), PR_SET_DUMPABLE).  The kernel
 * clears this of the memory of whoever changes its ids, and a child that has
 * not executed yet does so on ours: the host could no longer be traced, nor
 * open files of its own in /proc if it is not root.
 */
#ifndef PT_DUMPABLE_H
#define PT_DUMPABLE_H

/*
 * Around each launch that changes ids; launches of several threads may overlap.
 * Any thread.
 *
 * Return: 0; prctl(2)'s errno where it is refused; -ENOMEM, and what madvise(2)
 * is refused with: nothing is held then, and nothing to be restored.
 */
int pt_dumpable_hold(void);
void pt_dumpable_restore(void);

#endif
