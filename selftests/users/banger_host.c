/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A host with banger's files.  DIR is of one VM, whose Firecracker the jailer
 * has launched, and told of in DIR/firecracker.pid.  DIR/row.json stands for
 * the row of the database, DIR/handles.json has what is in use: PID, TapDevice,
 * BaseLoop, COWLoop, DMName, DMDev; and now Fingerprint, which says of whom.
 *
 *	banger_host DIR adopt EXE	takes over what the jailer launched, if
 *					that executes EXE; banger's own check,
 *					once, as long as there is no better
 *	banger_host DIR status		looks, and changes nothing
 *	banger_host DIR reconcile	as a daemon that starts
 *	banger_host DIR daemon		the same, and stays until the VM ends
 *	banger_host DIR stop [MS]	SIGTERM, so many ms later SIGKILL
 *
 * Whatever is found out about the process, what was saved is told, since that
 * is what is torn down; and nothing is while it lives, or might.
 */
#include <json-c/json.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "host.h"

struct vm {
	const char *dir;
	struct json_object *saved; /* what handles.json says, else row.json */
	struct pidtrack *tracker;
	struct pidtrack_process *process; /* while it lives */
	struct pidtrack_comparison found;
};

/* ---- what is saved ---- */

static const char *saved_text(const struct vm *vm, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(vm->saved, name, &value))
		return "";
	return json_object_get_string(value);
}

/* Neither has half a file, so one of them is right. */
static void saved_write(const struct vm *vm)
{
	const char *text = json_object_to_json_string_ext(
		vm->saved, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
				   JSON_C_TO_STRING_NOSLASHESCAPE);
	int r;

	r = host_put(host_path("%s/row.json", vm->dir).text, text);
	if (r >= 0)
		r = host_put(host_path("%s/handles.json", vm->dir).text, text);
	if (r < 0)
		host_fail("saving", r);
}

static void saved_read(struct vm *vm)
{
	struct host_path handles = host_path("%s/handles.json", vm->dir);

	vm->saved = json_object_from_file(handles.text);
	if (vm->saved)
		return;
	if (!access(handles.text, F_OK))
		printf("handles.json is damaged, by the row it is\n");
	vm->saved =
		json_object_from_file(host_path("%s/row.json", vm->dir).text);
	if (!vm->saved)
		vm->saved = json_object_new_object();
}

static void saved_say(const struct vm *vm)
{
	printf("saved %s %s %s %s %s\n", saved_text(vm, "TapDevice"),
	       saved_text(vm, "BaseLoop"), saved_text(vm, "COWLoop"),
	       saved_text(vm, "DMName"), saved_text(vm, "DMDev"));
}

/* ---- its process ---- */

/* By the fingerprint; of an older banger's by number; or by the jailer's. */
static int identify(const struct vm *vm, struct pidtrack_record **ret_record)
{
	const char *text = saved_text(vm, "Fingerprint");

	if (!*text)
		text = saved_text(vm, "PID");
	if (*text)
		return pidtrack_record_parse(text, strlen(text), ret_record);
	return pidtrack_record_read(
		host_path("%s/firecracker.pid", vm->dir).text, ret_record);
}

/* Attaches it if it lives; else found says whether that is certain. */
static void find(struct vm *vm)
{
	CLEANUP(host_forget) struct pidtrack_record *record = NULL;
	int r;

	saved_read(vm);
	saved_say(vm);
	vm->found = (struct pidtrack_comparison){
		.verdict = PIDTRACK_VERDICT_UNPROVEN
	};
	r = identify(vm, &record);
	if (r == 0)
		r = pidtrack_attach_record(vm->tracker, record, 0, &vm->process,
					   &vm->found, sizeof(vm->found));
	if (!vm->found.reason)
		vm->found.reason = strerror(-r);
	printf("%s %d: %s\n", pidtrack_verdict_name(vm->found.verdict),
	       vm->process ? pidtrack_process_pid(vm->process) : 0,
	       vm->found.reason);
	fflush(stdout);
}

/* In place of dmsetup remove, which says EBUSY while the VM has it open. */
static int tear_down(const struct vm *vm)
{
	struct host_path device =
		host_path("%s/%s", vm->dir, saved_text(vm, "DMName"));
	CLEANUP(host_close) int fd = open(device.text, O_RDWR | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB))
		host_fail("dm remove", -EBUSY);
	if (fd >= 0)
		unlink(device.text);
	unlink(host_path("%s/handles.json", vm->dir).text);
	printf("torn down\n");
	return 0;
}

static int adopt(struct vm *vm, const char *exe)
{
	struct host_path path = host_path("%s/firecracker.pid", vm->dir);
	CLEANUP(host_forget) struct pidtrack_record *told = NULL;
	CLEANUP(host_forget) struct pidtrack_record *record = NULL;
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct host_path claim;
	int r;

	r = pidtrack_record_read(path.text, &told);
	if (r < 0)
		host_fail(path.text, r);
	claim = host_path("%d\n%s", pidtrack_record_pid(told), exe);
	r = pidtrack_record_parse(claim.text, strlen(claim.text), &record);
	if (r >= 0)
		r = pidtrack_attach_record(vm->tracker, record,
					   PIDTRACK_ATTACH_LEGACY, &vm->process,
					   &vm->found, sizeof(vm->found));
	if (r < 0) {
		printf("not adopted: %s\n",
		       vm->found.reason ? vm->found.reason : strerror(-r));
		return HOST_NO;
	}
	r = pidtrack_process_fingerprint(vm->process, text, sizeof(text));
	if (r < 0)
		host_fail("its fingerprint", r);
	saved_read(vm);
	json_object_object_add(
		vm->saved, "PID",
		json_object_new_int(pidtrack_process_pid(vm->process)));
	json_object_object_add(vm->saved, "Fingerprint",
			       json_object_new_string(text));
	saved_write(vm);
	printf("adopted %d\n", pidtrack_process_pid(vm->process));
	return 0;
}

/* ---- commands ---- */

static int status(struct vm *vm)
{
	find(vm);
	if (vm->process)
		return 0;
	return host_may_clean_up(vm->found.verdict) ? HOST_NO : HOST_UNSURE;
}

static int reconcile(struct vm *vm)
{
	find(vm);
	if (vm->process)
		return 0;
	if (!host_may_clean_up(vm->found.verdict))
		return HOST_UNSURE;
	return tear_down(vm);
}

static int stay(struct vm *vm)
{
	const struct pidtrack_event *event;
	int r = reconcile(vm);

	if (!vm->process)
		return r;
	do
		r = pidtrack_wait(vm->tracker, -1, &event);
	while (r == -EINTR || (r > 0 && event->kind != PIDTRACK_EXITED));
	if (r < 0)
		host_fail("waiting", r);
	return tear_down(vm);
}

static int stop(struct vm *vm, const char *ms)
{
	const struct pidtrack_stop_step steps[] = {
		{ SIGTERM, ms ? (uint32_t)atoi(ms) : 10000 },
		{ SIGKILL, 2000 },
	};
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.steps = steps, .n_steps = 2);
	int r = reconcile(vm);

	if (!vm->process)
		return r;
	r = host_stop(vm->tracker, vm->process, &options);
	if (r == -EPERM) {
		printf("alive, not mine\n");
		return HOST_NO;
	}
	if (r < 0)
		host_fail("stop", r);
	return tear_down(vm);
}

static int run(struct vm *vm, const char *command, const char *argument)
{
	if (!strcmp(command, "adopt") && argument)
		return adopt(vm, argument);
	if (!strcmp(command, "status"))
		return status(vm);
	if (!strcmp(command, "reconcile"))
		return reconcile(vm);
	if (!strcmp(command, "daemon"))
		return stay(vm);
	if (!strcmp(command, "stop"))
		return stop(vm, argument);
	fprintf(stderr, "usage: banger_host DIR adopt EXE | status | reconcile "
			"| daemon | stop [MS]\n");
	return HOST_USAGE;
}

int main(int argc, char **argv)
{
	struct vm vm = { .dir = argc > 1 ? argv[1] : "." };
	int r;

	vm.tracker = host_begin();
	r = run(&vm, argc > 2 ? argv[2] : "", argc > 3 ? argv[3] : NULL);
	json_object_put(vm.saved);
	pidtrack_free(vm.tracker);
	return r;
}
