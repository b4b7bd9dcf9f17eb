/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A fuzzer is one function that libFuzzer calls with bytes of any kind. Without
 * libFuzzer it is a program that tries the files of a directory, each a test.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define FUZZ_CHECK(condition)                                      \
	do {                                                       \
		if (condition)                                     \
			break;                                     \
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
			#condition);                               \
		abort();                                           \
	} while (0)

/* The bytes and a NUL in memory of just that size, for a sanitizer to watch. */
static inline char *fuzz_text(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_CHECK(text);
	if (size > 0)
		memcpy(text, bytes, size);
	text[size] = 0;
	return text;
}

#ifndef PT_LIBFUZZER

static inline int fuzz_seed(const struct dirent *name)
{
	return name->d_name[0] != '.';
}

static inline void fuzz_file(int dir, const char *name)
{
	static uint8_t bytes[1 << 20];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	FUZZ_CHECK(fd >= 0);
	n = read(fd, bytes, sizeof(bytes));
	FUZZ_CHECK(n >= 0);
	close(fd);
	LLVMFuzzerTestOneInput(bytes, (size_t)n);
}

int main(int argc, char **argv)
{
	struct dirent **names;
	int dir, n, i;

	FUZZ_CHECK(argc == 2);
	dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(dir >= 0);
	n = scandir(argv[1], &names, fuzz_seed, alphasort);
	FUZZ_CHECK(n > 0);
	printf("TAP version 13\n1..%d\n", n);
	for (i = 0; i < n; i++) {
		printf("# %s\n", names[i]->d_name);
		fflush(stdout);
		fuzz_file(dir, names[i]->d_name);
		printf("ok %d %s\n", i + 1, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	close(dir);
	return 0;
}

#endif

#endif
