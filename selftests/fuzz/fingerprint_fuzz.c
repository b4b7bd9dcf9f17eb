/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Fingerprints from text, one a line: what is taken survives the way back, and
 * each compares with each other as it does the other way about.
 */
#include <errno.h>
#include <limits.h>

#include "fingerprint.h"
#include "fuzz.h"

#define MOST 4 /* of them at once */

static bool same(const struct pt_fingerprint *a, const struct pt_fingerprint *b)
{
	if (a->pid != b->pid || a->has != b->has)
		return false;
	if ((a->has & PT_HAS_INODE) && a->inode != b->inode)
		return false;
	if ((a->has & PT_HAS_START) && a->start != b->start)
		return false;
	if ((a->has & PT_HAS_PIDNS) && a->place.pidns != b->place.pidns)
		return false;
	if ((a->has & PT_HAS_BOOTTIME) &&
	    a->place.boottime != b->place.boottime)
		return false;
	return !(a->has & PT_HAS_BOOT) ||
	       !memcmp(a->place.boot, b->place.boot, sizeof(a->place.boot));
}

static bool take(const char *text, struct pt_fingerprint *ret_fingerprint)
{
	struct pt_fingerprint before;
	int r;

	memset(&before, 0x5a, sizeof(before));
	*ret_fingerprint = before;
	r = pt_fingerprint_parse(text, ret_fingerprint);
	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	if (r < 0) {
		FUZZ_CHECK(!memcmp(ret_fingerprint, &before, sizeof(before)));
		/* a later version says so at its beginning */
		FUZZ_CHECK(r == -EBADMSG || !strncmp(text, "pidtrack", 8));
		return false;
	}
	FUZZ_CHECK(!strncmp(text, "pidtrack1:", 10));
	FUZZ_CHECK(!strpbrk(text, " \t\r\n\"'\\"));
	FUZZ_CHECK(ret_fingerprint->pid > 0);
	return true;
}

static void go_back(const struct pt_fingerprint *fingerprint)
{
	char bytes[PIDTRACK_FINGERPRINT_MAX];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	struct pt_fingerprint back;

	pt_fingerprint_format(fingerprint, "/bin/\xff vmm", 10, &text);
	FUZZ_CHECK(!text.overflow);
	FUZZ_CHECK(pt_fingerprint_parse(bytes, &back) == 0);
	FUZZ_CHECK(same(fingerprint, &back));
}

static void compare(const struct pt_fingerprint *a,
		    const struct pt_fingerprint *b)
{
	uint32_t both = a->has & b->has;
	struct pidtrack_comparison it, back;

	pt_fingerprint_compare(a, b, &it);
	pt_fingerprint_compare(b, a, &back);
	FUZZ_CHECK(it.verdict == back.verdict && it.evidence == back.evidence);
	FUZZ_CHECK(it.reason && it.reason[0]);
	FUZZ_CHECK(strcmp(pidtrack_verdict_name(it.verdict), "unknown"));
	FUZZ_CHECK(it.verdict != PIDTRACK_VERDICT_GONE &&
		   it.verdict != PIDTRACK_VERDICT_EXITED);
	/* nothing is decided by what one of them does not have */
	FUZZ_CHECK(!(it.evidence & PIDTRACK_EVIDENCE_BOOT) ||
		   both & PT_HAS_BOOT);
	FUZZ_CHECK(!(it.evidence & PIDTRACK_EVIDENCE_INODE) ||
		   both & PT_HAS_INODE);
	FUZZ_CHECK(!(it.evidence & PIDTRACK_EVIDENCE_START) ||
		   both & PT_HAS_START);
	if (it.verdict != PIDTRACK_VERDICT_UNPROVEN)
		FUZZ_CHECK(it.evidence & PIDTRACK_EVIDENCE_BOOT);
	if (it.verdict == PIDTRACK_VERDICT_SAME && both & PT_HAS_INODE)
		FUZZ_CHECK(a->inode == b->inode);
	if (same(a, b))
		FUZZ_CHECK(it.verdict == PIDTRACK_VERDICT_SAME ||
			   it.verdict == PIDTRACK_VERDICT_UNPROVEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_text(bytes, size), *rest = text, *line;
	struct pt_fingerprint taken[MOST];
	int n = 0, i, j;

	while (n < MOST && (line = strsep(&rest, "\n"))) {
		if (!take(line, &taken[n]))
			continue;
		go_back(&taken[n++]);
	}
	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++)
			compare(&taken[i], &taken[j]);
	free(text);
	return 0;
}
