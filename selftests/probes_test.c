/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The static probes of the library are met where pidtrack(7) says: the kernel
 * counts how often this thread passes each, by uprobes of perf_event_open(2).
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tracked.h"

/* ---- where they are ---- */

struct library {
	char path[PATH_MAX];
	const char *bytes; /* the file */
	size_t size;
};

static int take_path(struct dl_phdr_info *found, size_t size, void *path)
{
	if (!strstr(found->dlpi_name, "libpidtrack.so"))
		return 0;
	snprintf(path, PATH_MAX, "%s", found->dlpi_name);
	return 1;
}

static struct library library_open(struct __test_metadata *_metadata)
{
	struct library library = { 0 };
	struct stat found;
	int fd;

	/* or it is part of this program, as where lines are counted */
	if (!dl_iterate_phdr(take_path, library.path))
		strcpy(library.path, "/proc/self/exe");
	fd = open(library.path, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fstat(fd, &found));
	library.size = (size_t)found.st_size;
	library.bytes = mmap(NULL, library.size, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, library.bytes);
	close(fd);
	return library;
}

static const ElfW(Shdr) *
	section(const struct library *library, const char *name)
{
	const ElfW(Ehdr) *elf = (const void *)library->bytes;
	const ElfW(Shdr) *all = (const void *)(library->bytes + elf->e_shoff);
	const char *names = library->bytes + all[elf->e_shstrndx].sh_offset;

	for (int i = 0; i < elf->e_shnum; i++)
		if (!strcmp(names + all[i].sh_name, name))
			return &all[i];
	return NULL;
}

/* Where in the file is what is mapped there. */
static uint64_t offset_of(const struct library *library, uint64_t address)
{
	const ElfW(Ehdr) *elf = (const void *)library->bytes;
	const ElfW(Phdr) *all = (const void *)(library->bytes + elf->e_phoff);

	for (int i = 0; i < elf->e_phnum; i++)
		if (all[i].p_type == PT_LOAD && address >= all[i].p_vaddr &&
		    address < all[i].p_vaddr + all[i].p_filesz)
			return address - all[i].p_vaddr + all[i].p_offset;
	return 0;
}

/* The note of a probe, as systemtap has it: addresses, then names. */
struct note {
	ElfW(Addr) address, base, semaphore;
	char provider[];
};

#define ALIGN4(n) (((n) + 3) & ~(size_t)3)

/* Return: how many there are of this name; their offsets. */
static int find_probes(const struct library *library, const char *name,
		       uint64_t *ret_offsets, int max)
{
	const ElfW(Shdr) *notes = section(library, ".note.stapsdt");
	size_t at = 0;
	int n = 0;

	while (notes && at < notes->sh_size) {
		const ElfW(Nhdr) *head =
			(const void *)(library->bytes + notes->sh_offset + at);
		const struct note *note =
			(const void *)((const char *)(head + 1) +
				       ALIGN4(head->n_namesz));
		const char *its = note->provider + strlen(note->provider) + 1;

		if (!strcmp(note->provider, "pidtrack") && !strcmp(its, name) &&
		    n < max)
			ret_offsets[n++] = offset_of(library, note->address);
		at += sizeof(*head) + ALIGN4(head->n_namesz) +
		      ALIGN4(head->n_descsz);
	}
	return n;
}

/* ---- counting ---- */

static int uprobe_type(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int type = -1;

	if (file) {
		if (fscanf(file, "%d", &type) != 1)
			type = -1;
		fclose(file);
	}
	return type;
}

/* Counts, from now on, how often this thread comes by there; or -1. */
static int uprobe_open(const struct library *library, int type, uint64_t offset)
{
	struct perf_event_attr attr = {
		.type = (uint32_t)type,
		.size = sizeof(attr),
		.config1 = (uint64_t)(uintptr_t)library->path,
		.config2 = offset,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1,
			    PERF_FLAG_FD_CLOEXEC);
}

#define PLACES_MAX 8 /* in the code, of one probe */

struct counter {
	int fds[PLACES_MAX];
	int n;
};

FIXTURE(probes)
{
	struct library library;
	struct pidtrack *tracker;
	int type;
};

FIXTURE_SETUP(probes)
{
	uint64_t any;
	int fd;

	self->type = uprobe_type();
	if (self->type < 0)
		SKIP(return, "no uprobes to count with");
	self->library = library_open(_metadata);
	if (find_probes(&self->library, "armed", &any, 1) == 0)
		SKIP(return, "the library was built without sys/sdt.h");
	fd = uprobe_open(&self->library, self->type, any);
	if (fd < 0)
		SKIP(return, "no uprobes to be had here: perf_event_open: %s",
			   strerror(errno));
	close(fd);
	self->tracker = tracker_start(_metadata, 0);
}

FIXTURE_TEARDOWN(probes)
{
	pidtrack_free(self->tracker);
}

static struct counter count(struct __test_metadata *_metadata,
			    const FIXTURE_DATA(probes) * self, const char *name)
{
	struct counter counter = { .n = 0 };
	uint64_t offsets[PLACES_MAX];
	int n = find_probes(&self->library, name, offsets, PLACES_MAX);

	ASSERT_GT(n, 0);
	for (int i = 0; i < n; i++) {
		counter.fds[i] =
			uprobe_open(&self->library, self->type, offsets[i]);
		ASSERT_GE(counter.fds[i], 0);
		counter.n++;
	}
	return counter;
}

static long counted(struct counter *counter)
{
	uint64_t one, all = 0;

	for (int i = 0; i < counter->n; i++) {
		if (read(counter->fds[i], &one, sizeof(one)) != sizeof(one))
			return -1;
		close(counter->fds[i]);
		all += one;
	}
	return (long)all;
}

TEST_F(probes, a_life_is_seen_from_launch_to_reaping)
{
	struct counter launch = count(_metadata, self, "launch");
	struct counter armed = count(_metadata, self, "armed");
	struct counter exited = count(_metadata, self, "exited");
	struct counter reaped = count(_metadata, self, "reaped");
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start(_metadata, self->tracker, gate.shim,
			     SHIM("wait", "exit", "7"));
	gate_open(&gate);
	process_await_exit(process);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_EQ(1, counted(&launch));
	EXPECT_EQ(1, counted(&armed));
	EXPECT_EQ(1, counted(&exited));
	EXPECT_EQ(1, counted(&reaped));
	pidtrack_process_free(process);
}

TEST_F(probes, a_launch_that_fails_is_seen)
{
	struct counter launch = count(_metadata, self, "launch");
	struct counter armed = count(_metadata, self, "armed");
	const char *const argv[] = { "/nonexistent", NULL };
	struct pidtrack_spawn_options options = { .size = sizeof(options),
						  .argv = argv };
	struct pidtrack_process *process;

	EXPECT_EQ(-ENOENT,
		  pidtrack_spawn(self->tracker, &options, &process, NULL));
	EXPECT_EQ(1, counted(&launch));
	EXPECT_EQ(0, counted(&armed));
}

TEST_F(probes, every_signal_is_seen)
{
	struct counter signals = count(_metadata, self, "signal");
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start(_metadata, self->tracker, gate.shim, SHIM("wait"));
	EXPECT_EQ(0, pidtrack_process_signal(process, SIGCONT));
	EXPECT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EXITED(self->tracker, process, SIGKILL);
	EXPECT_EQ(2, counted(&signals));
	gate_open(&gate);
	pidtrack_process_free(process);
}

TEST_F(probes, a_verdict_is_seen)
{
	struct counter verdicts = count(_metadata, self, "verdict");
	struct pidtrack_comparison comparison;
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start(_metadata, self->tracker, gate.shim, SHIM("wait"));
	ASSERT_LT(0, pidtrack_process_fingerprint(process, text, sizeof(text)));
	EXPECT_EQ(0, pidtrack_process_compare(process, text, &comparison,
					      sizeof(comparison)));
	EXPECT_EQ(1, counted(&verdicts));
	gate_open(&gate);
	ASSERT_EXITED(self->tracker, process, 0);
	pidtrack_process_free(process);
}

TEST_F(probes, a_handoff_is_seen)
{
	struct counter handoffs = count(_metadata, self, "handoff");
	int fd;

	ASSERT_EQ(0, pidtrack_handoff_prepare(self->tracker, &fd));
	EXPECT_EQ(0, pidtrack_handoff_cancel(self->tracker));
	EXPECT_EQ(1, counted(&handoffs));
}

TEST_HARNESS_MAIN
