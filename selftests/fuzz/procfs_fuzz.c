/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Every parser of /proc on the same bytes, against libc's idea of them. */
#include <errno.h>

#include "fuzz.h"
#include "procfs.h"
#include "text.h"

/* The @n-th field after the name, from 1: there is one blank before each. */
static const char *field_after_name(const char *text, int n)
{
	const char *at = strrchr(text, ')');

	FUZZ_CHECK(at);
	for (at++; n > 0; n--) {
		at = strchr(at, ' ');
		FUZZ_CHECK(at);
		at++;
	}
	return at;
}

static void try_stat(const char *text)
{
	struct pt_procfs_stat stat, before;
	int r;

	memset(&before, 0x5a, sizeof(before));
	stat = before;
	r = pt_procfs_parse_stat(text, &stat);
	if (r < 0) {
		FUZZ_CHECK(r == -EBADMSG);
		FUZZ_CHECK(!memcmp(&stat, &before, sizeof(stat)));
		return;
	}
	FUZZ_CHECK(stat.pid > 0 && stat.ppid >= 0);
	FUZZ_CHECK((uint64_t)stat.pid == strtoull(text, NULL, 10));
	FUZZ_CHECK(stat.state == *field_after_name(text, 1));
	FUZZ_CHECK((uint64_t)stat.ppid ==
		   strtoull(field_after_name(text, 2), NULL, 10));
	FUZZ_CHECK(stat.start ==
		   strtoull(field_after_name(text, 20), NULL, 10));
}

/* What follows the first @key at the start of a line. */
static const char *after_key(const char *text, const char *key)
{
	size_t length = strlen(key);

	while (strncmp(text, key, length)) {
		text = strchr(text, '\n');
		FUZZ_CHECK(text);
		text++;
	}
	return text + length;
}

static void try_fdinfo(const char *text)
{
	pid_t pid = -42;
	int r;

	r = pt_procfs_parse_fdinfo(text, &pid);
	if (r < 0) {
		FUZZ_CHECK(r == -EBADMSG && pid == -42);
		return;
	}
	FUZZ_CHECK(pid >= -1);
	FUZZ_CHECK(pid == strtoll(after_key(text, "Pid:"), NULL, 10));
}

static void try_boottime(const char *text)
{
	int64_t ns = 42;
	char *end;
	int r;

	r = pt_procfs_parse_boottime(text, &ns);
	if (r < 0) {
		FUZZ_CHECK(r == -EBADMSG && ns == 42);
		return;
	}
	FUZZ_CHECK(ns ==
		   strtoll(after_key(text, "boottime"), &end, 10) * 1000000000 +
			   strtoll(end, NULL, 10));
}

static void try_uuid(const uint8_t *bytes, size_t size)
{
	uint8_t uuid[16];
	char text[40], *at = text;
	char *copy;
	int i, r;

	/* without the NUL: the length alone is the end */
	copy = malloc(size ? size : 1);
	FUZZ_CHECK(copy);
	if (size > 0)
		memcpy(copy, bytes, size);
	r = pt_procfs_parse_uuid(copy, size, uuid);
	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r == 0) {
		FUZZ_CHECK(size == 36);
		for (i = 0; i < 16; i++)
			at += sprintf(at, "%s%02x",
				      i == 4 || i == 6 || i == 8 || i == 10 ?
					      "-" :
					      "",
				      uuid[i]);
		FUZZ_CHECK(!memcmp(text, copy, 36));
	}
	free(copy);
}

static void try_number(const uint8_t *bytes, size_t size)
{
	uint64_t number = 42;
	char digits[32];
	size_t i;

	if (pt_text_parse_number((const char *)bytes, size, &number) < 0) {
		FUZZ_CHECK(number == 42);
		return;
	}
	for (i = 0; i < size - 1 && bytes[i] == '0'; i++)
		;
	sprintf(digits, "%llu", (unsigned long long)number);
	FUZZ_CHECK(strlen(digits) == size - i);
	FUZZ_CHECK(!memcmp(digits, bytes + i, size - i));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_text(bytes, size);

	try_stat(text);
	try_fdinfo(text);
	try_boottime(text);
	try_uuid(bytes, size);
	try_number(bytes, size);
	free(text);
	return 0;
}
