// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Virtual machines, with qemu as the shim, interpreted (TCG) and without a
 * kernel: paused, or with a boot sector of a few bytes.  qemu exits with 0 when
 * it is told to quit, by its monitor, by SIGTERM or by a guest that powers off;
 * a guest that writes to isa-debug-exit makes it exit with value << 1 | 1.
 */
#include "harness.h"
#include "pidtrack.h"
#include "real.h"

struct machine {
	struct real real;
	char qemu[PATH_MAX];
	int monitor; /* QMP: the other side of qemu's standard input, output */
	int stdio;
};

FIXTURE(qemu)
{
	struct machine machine;
};

FIXTURE_SETUP(qemu)
{
	struct machine *machine = &self->machine;
	int pair[2];

	if (!program_find("qemu-system-x86_64", machine->qemu,
			  sizeof(machine->qemu)))
		SKIP(return, "qemu-system-x86_64 is not installed");
	real_begin(_metadata, &machine->real);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	machine->monitor = real_keep(_metadata, &machine->real, pair[0]);
	machine->stdio = real_keep(_metadata, &machine->real, pair[1]);
}

FIXTURE_TEARDOWN(qemu)
{
	real_end(&self->machine.real);
}

#define QEMU(machine, ...)                                                    \
	(const char *const[])                                                 \
	{                                                                     \
		(machine)->qemu, "-M", "q35", "-accel", "tcg", "-m", "32M",   \
			"-nodefaults", "-no-user-config", "-display", "none", \
			__VA_ARGS__, NULL                                     \
	}

#define QEMU_PAUSED(machine) QEMU(machine, "-S", "-qmp", "stdio")
#define QEMU_DISK "-drive", "file=disk,format=raw,if=ide"
#define QEMU_DEBUG_EXIT "-device", "isa-debug-exit,iobase=0xf4,iosize=1"

static void machine_spawn(struct __test_metadata *_metadata,
			  struct machine *machine, const char *const *argv,
			  struct watched *ret_qemu)
{
	struct pidtrack_fd_map fds[] = {
		{ .child_fd = 0, .fd = machine->stdio },
		{ .child_fd = 1, .fd = machine->stdio },
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .fds = fds,
				       .n_fds = ARRAY_SIZE(fds), .label = "vm");

	real_spawn(_metadata, &machine->real, &options, ret_qemu);
	EXPECT_STREQ("vm", pidtrack_process_label(ret_qemu->process));
}

/* Reads what qemu says until it says this. */
static void machine_await(struct __test_metadata *_metadata,
			  const struct machine *machine, const char *text)
{
	char line[1024];

	do {
		real_line(_metadata, machine->monitor, line, sizeof(line));
		if (!line[0])
			TH_LOG("qemu did not say %s", text);
		ASSERT_NE('\0', line[0]);
	} while (!strstr(line, text));
}

static void machine_tell(struct __test_metadata *_metadata,
			 const struct machine *machine, const char *command)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"execute\":\"%s\"}", command);
	real_write(_metadata, machine->monitor, text);
}

/* A paused one; when this returns, it answers, and takes signals. */
static void machine_start(struct __test_metadata *_metadata,
			  struct machine *machine, struct watched *ret_qemu)
{
	machine_spawn(_metadata, machine, QEMU_PAUSED(machine), ret_qemu);
	machine_await(_metadata, machine, "\"QMP\"");
	machine_tell(_metadata, machine, "qmp_capabilities");
	machine_await(_metadata, machine, "\"return\"");
}

/* A disk whose first sector is this program, and the BIOS's mark. */
static void machine_write_disk(struct __test_metadata *_metadata,
			       const unsigned char *program, size_t size)
{
	static unsigned char disk[1024 * 1024];
	FILE *file = fopen("disk", "we");

	ASSERT_TRUE(file != NULL);
	ASSERT_LE(size, 510);
	memcpy(disk, program, size);
	disk[510] = 0x55;
	disk[511] = 0xaa;
	ASSERT_EQ(1, fwrite(disk, sizeof(disk), 1, file));
	ASSERT_EQ(0, fclose(file));
}

TEST_F(qemu, told_to_quit_exits_with_0)
{
	struct machine *machine = &self->machine;
	struct watched qemu;

	machine_start(_metadata, machine, &qemu);
	EXPECT_TRUE(watched_runs(&qemu));
	machine_tell(_metadata, machine, "quit");
	machine_await(_metadata, machine, "\"host-qmp-quit\"");
	ASSERT_ENDED(&machine->real, &qemu, CODE(0));
}

TEST_F(qemu, shuts_down_on_sigterm_and_exits_with_0)
{
	struct machine *machine = &self->machine;
	struct watched qemu;

	machine_start(_metadata, machine, &qemu);
	ASSERT_EQ(0, pidtrack_process_signal(qemu.process, SIGTERM));
	machine_await(_metadata, machine, "\"host-signal\"");
	ASSERT_ENDED(&machine->real, &qemu, CODE(0));
}

TEST_F(qemu, killed_says_nothing_and_is_known_to_be_killed)
{
	struct machine *machine = &self->machine;
	struct watched qemu;

	machine_start(_metadata, machine, &qemu);
	real_close(&machine->real, machine->stdio);
	ASSERT_EQ(0, pidtrack_process_signal(qemu.process, SIGKILL));
	ASSERT_ENDED(&machine->real, &qemu, SIGNALLED(SIGKILL));
	ASSERT_LINE("", machine->monitor);
}

TEST_F(qemu, stopped_and_continued_is_reported_and_runs_on)
{
	struct machine *machine = &self->machine;
	struct watched qemu;

	machine_start(_metadata, machine, &qemu);
	ASSERT_EQ(0, pidtrack_process_notify(qemu.process,
					     1 << PIDTRACK_STOPPED |
						     1 << PIDTRACK_CONTINUED));
	ASSERT_EQ(0, pidtrack_process_signal(qemu.process, SIGSTOP));
	while (!qemu.stopped)
		real_next(_metadata, &machine->real);
	ASSERT_EQ(0, pidtrack_process_signal(qemu.process, SIGCONT));
	while (!qemu.continued)
		real_next(_metadata, &machine->real);
	EXPECT_TRUE(watched_runs(&qemu));

	machine_tell(_metadata, machine, "quit");
	ASSERT_ENDED(&machine->real, &qemu, CODE(0));
	EXPECT_EQ(1, qemu.stopped);
	EXPECT_EQ(1, qemu.continued);
}

TEST_F(qemu, returns_what_its_guest_wrote_to_the_exit_device)
{
	static const int values[] = { 0, 1, 0x15, 0x7f };
	struct machine *machine = &self->machine;
	struct watched qemu;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		unsigned char program[] = {
			0xb0, (unsigned char)values[i], /* mov al, value */
			0xe6, 0xf4,			/* out 0xf4, al */
			0xf4, 0xeb,
			0xfd, /* hlt, for ever */
		};

		machine_write_disk(_metadata, program, sizeof(program));
		machine_spawn(_metadata, machine,
			      QEMU(machine, QEMU_DISK, QEMU_DEBUG_EXIT), &qemu);
		ASSERT_ENDED(&machine->real, &qemu, CODE(values[i] << 1 | 1));
	}
}

TEST_F(qemu, exits_with_0_when_its_guest_powers_off)
{
	static const unsigned char program[] = {
		0xba, 0x04, 0x06, /* mov dx, 0x604: ACPI's PM1a control */
		0xb8, 0x00, 0x20, /* mov ax, 0x2000: sleep enable, type 0, S5 */
		0xef,		  /* out dx, ax */
		0xf4, 0xeb, 0xfd, /* hlt, for ever */
	};
	struct machine *machine = &self->machine;
	struct watched qemu;

	machine_write_disk(_metadata, program, sizeof(program));
	machine_spawn(_metadata, machine,
		      QEMU(machine, QEMU_DISK, "-qmp", "stdio"), &qemu);
	machine_await(_metadata, machine, "\"QMP\"");
	machine_tell(_metadata, machine, "qmp_capabilities");
	ASSERT_ENDED(&machine->real, &qemu, CODE(0));
}

TEST_F(qemu, refuses_an_option_with_1)
{
	struct machine *machine = &self->machine;
	struct watched qemu;

	machine_spawn(_metadata, machine, QEMU(machine, "-m", "none"), &qemu);
	ASSERT_ENDED(&machine->real, &qemu, CODE(1));
}

/* The launched process exits when the machine is set up; its child's child runs
 * it. */
TEST_F(qemu, daemonized_is_tracked_by_its_pid_file)
{
	struct machine *machine = &self->machine;
	struct watched launched, qemu;
	pid_t pid;

	machine_spawn(_metadata, machine,
		      QEMU(machine, "-S", "-daemonize", "-pidfile", "pid"),
		      &launched);
	ASSERT_ENDED(&machine->real, &launched, CODE(0));
	pid = file_pid(_metadata, "pid");
	real_attach(_metadata, &machine->real, pid, &qemu);
	real_reap_orphans(_metadata, &machine->real);
	EXPECT_TRUE(watched_runs(&qemu));
	ASSERT_EQ(0, pidtrack_process_signal(qemu.process, SIGTERM));
	ASSERT_ENDED(&machine->real, &qemu, CODE(0));
}

TEST_HARNESS_MAIN
