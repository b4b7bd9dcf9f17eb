/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Attaching: open first, then look, then compare.
 */
#include "attach.h"

#include "label.h"
#include "options.h"
#include "procfs.h"
#include "status.h"
#include "sys.h"
#include "tracker.h"
#include "verify.h"

struct attach {
	pid_t pid;
	uint64_t inode;
	int pidfd; /* owned */
	bool child;
	uint32_t flags;
	char *label;		    /* owned, until it is the process's */
	struct pt_payload *payload; /* likewise */
	struct pidtrack_process *process;
};

/* For good arguments these mean that no such process is there. */
static int map_gone(int r)
{
	return r == -EINVAL || r == -ENOENT ? -ESRCH : r;
}

/* It can be tracked all the same, without a fingerprint. */
static bool is_hidden(int r)
{
	return r == -ENODATA || r == -EACCES || r == -EPERM;
}

/*
 * Whether it is our child; and whether it is a pidfd at all: of all questions
 * this is the one that a directory of /proc does not pass for one in.
 */
static int ask_child(struct attach *attach)
{
	int r;

	r = sys_waitid(PT_P_PIDFD, attach->pidfd, NULL,
		       WEXITED | WNOHANG | WNOWAIT | __WALL);
	if (r == -EBADF || r == -EINVAL)
		return r;
	attach->child = r != -ECHILD && pt_status_is_child(attach->pidfd);
	return 0;
}

/* What it carries itself, and nothing else has told. */
static int take_carried(const struct pt_place *place, struct attach *attach)
{
	unsigned char payload[PT_RECORD_PAYLOAD_MAX];
	char label[PT_LABEL_MAX + 1];

	if (!place->pidfs)
		return 0;
	if (!attach->label) {
		/* without a label nothing of ours is there */
		if (pt_label_get(attach->pidfd, label) == 0)
			return 0;
		attach->label = strdup(label);
		if (!attach->label)
			return -ENOMEM;
	}
	if (attach->payload)
		return 0;
	return pt_payload_new(payload,
			      pt_label_get_payload(attach->pidfd, payload),
			      &attach->payload);
}

/* Takes in the process of attach->pidfd. */
static int admit(struct pidtrack *tracker, struct attach *attach)
{
	struct pt_set *set = &tracker->set;
	struct pidtrack_process *process;
	struct pt_look look = { 0 };
	int r;

	r = pt_look_at(&set->place, attach->pidfd, attach->pid, &look);
	if (r < 0 && !is_hidden(r))
		return r;
	r = take_carried(&set->place, attach);
	if (r < 0)
		return r;
	r = pt_set_reserve(set, &process);
	if (r < 0)
		return r;

	process->pid = attach->pid;
	pt_parked_own(&set->parked, process, fd_take(&attach->pidfd));
	process->look = look;
	process->observed = attach->flags & PIDTRACK_ATTACH_OBSERVE;
	process->child = attach->child && !process->observed;
	process->label = attach->label;
	process->payload = attach->payload;
	attach->label = NULL;
	attach->payload = NULL;
	pt_set_watch(set, process);
	pt_set_flush(set);
	attach->process = process;
	return 0;
}

static int check_inode(const struct pt_place *place, int pidfd, uint64_t wanted)
{
	uint64_t inode;
	int r;

	if (!place->pidfs)
		return -EOPNOTSUPP;
	r = sys_inode(pidfd, &inode);
	if (r < 0)
		return r;
	return inode == wanted ? 0 : -ESTALE;
}

static int do_attach(struct pidtrack *tracker, void *argument)
{
	struct attach *attach = argument;
	int r;

	attach->pidfd = sys_pidfd_open(attach->pid, 0);
	if (attach->pidfd < 0)
		return map_gone(attach->pidfd);
	if (attach->inode != 0) {
		r = check_inode(&tracker->set.place, attach->pidfd,
				attach->inode);
		if (r < 0)
			return r;
	}
	r = ask_child(attach);
	return r < 0 ? r : admit(tracker, attach);
}

static int call_attach(struct pidtrack *tracker,
		       int (*run)(struct pidtrack *tracker, void *argument),
		       struct attach *attach,
		       struct pidtrack_process **ret_process)
{
	int r;

	r = pt_tracker_call(tracker, run, attach);
	fd_close(attach->pidfd);
	free(attach->label);
	free(attach->payload);
	if (r < 0)
		return r;
	*ret_process = attach->process;
	return 0;
}

PUBLIC int pidtrack_attach(struct pidtrack *tracker, pid_t pid, uint64_t inode,
			   uint32_t flags,
			   struct pidtrack_process **ret_process)
{
	struct attach attach = {
		.pid = pid,
		.inode = inode,
		.pidfd = -1,
		.flags = flags,
	};

	if (pid <= 0 || flags & ~PIDTRACK_ATTACH_OBSERVE)
		return -EINVAL;
	return call_attach(tracker, do_attach, &attach, ret_process);
}

/*
 * The number behind a pidfd; 0 if it is reaped, or not to be seen from here,
 * where it is known without one.
 */
static int number_of(const struct pt_place *place, int pidfd, pid_t *ret_pid)
{
	struct pt_pidfd_info told;
	pid_t pid;
	int r;

	r = sys_pidfd_info(pidfd, PT_PIDFD_INFO_PID, &told);
	if (r >= 0 && told.mask & PT_PIDFD_INFO_PID) {
		*ret_pid = (pid_t)told.tgid;
		return 0;
	}
	if (!place->numbers) {
		*ret_pid = 0;
		return 0;
	}
	r = pt_procfs_fdinfo_pid(pidfd, &pid);
	if (r < 0 && !(place->pidfs && (is_hidden(r) || r == -ENOSYS)))
		return r;
	*ret_pid = r >= 0 && pid > 0 ? pid : 0;
	return 0;
}

/* A pidfd of a thread: only a leader's stands for a process. */
static int leader_of(const struct pt_place *place, int thread, pid_t pid)
{
	CLEANUP(fd_closep) int fd = -1;
	uint64_t inode;
	int r;

	fd = sys_pidfd_open(pid, 0);
	if (fd < 0)
		return map_gone(fd);
	r = sys_inode(thread, &inode);
	if (r >= 0)
		r = check_inode(place, fd, inode);
	if (r < 0)
		return r == -ESTALE ? -ESRCH : r;
	return fd_take(&fd);
}

static int do_attach_pidfd(struct pidtrack *tracker, void *argument)
{
	struct attach *attach = argument;
	int flags, r;

	flags = sys_file_flags(attach->pidfd);
	if (flags < 0)
		return flags;
	r = ask_child(attach);
	if (r < 0)
		return r;
	r = number_of(&tracker->set.place, attach->pidfd, &attach->pid);
	if (r < 0)
		return r;

	if (flags & PT_PIDFD_THREAD) {
		if (attach->pid == 0)
			return pt_status_reaped(attach->pidfd) ? -ESRCH :
								 -EREMOTE;
		r = leader_of(&tracker->set.place, attach->pidfd, attach->pid);
		if (r < 0)
			return r;
		sys_close(attach->pidfd);
		attach->pidfd = r;
	}
	return admit(tracker, attach);
}

int pt_attach_kept(struct pidtrack *tracker, int pidfd, const char *label,
		   struct pidtrack_process **ret_process)
{
	struct attach attach = { .pidfd = pidfd, .label = strdup(label) };
	int r;

	r = attach.label ? do_attach_pidfd(tracker, &attach) : -ENOMEM;
	fd_close(attach.pidfd);
	free(attach.label);
	free(attach.payload);
	if (r < 0)
		return r;
	attach.process->kept = true;
	*ret_process = attach.process;
	return 0;
}

/* ---- from a record ---- */

struct recall {
	struct attach attach;
	const struct pidtrack_record *record;
	struct pidtrack_comparison comparison;
};

static int map_verdict(const struct pt_verified *verified, uint32_t flags)
{
	switch (verified->comparison.verdict) {
	case PIDTRACK_VERDICT_SAME:
	case PIDTRACK_VERDICT_EXITED:
		return 0;
	case PIDTRACK_VERDICT_GONE:
		return -ESRCH;
	case PIDTRACK_VERDICT_REUSED:
	case PIDTRACK_VERDICT_OTHER_BOOT:
		return -ESTALE;
	default:
		return verified->legacy && flags & PIDTRACK_ATTACH_LEGACY ?
			       0 :
			       -ENODATA;
	}
}

/* What a record says that stays with the process. */
static int take_recorded(struct attach *attach,
			 const struct pidtrack_record *record)
{
	if (record->label) {
		attach->label = strdup(record->label);
		if (!attach->label)
			return -ENOMEM;
	}
	return pt_payload_new(record->payload, record->payload_size,
			      &attach->payload);
}

static int do_attach_record(struct pidtrack *tracker, void *argument)
{
	const struct pt_place *place = &tracker->set.place;
	struct attach *attach = argument;
	struct recall *recall = argument;
	struct pt_verified verified;
	int r;

	pt_verify(place, recall->record, &verified);
	attach->pidfd = verified.pidfd;
	if (recall->record->format == PIDTRACK_RECORD_PIN) {
		attach->pidfd = sys_dup_above(recall->record->pidfd, 3);
		if (attach->pidfd < 0)
			return attach->pidfd;
	}
	recall->comparison = verified.comparison;
	r = map_verdict(&verified, attach->flags);
	if (r < 0)
		return r;
	/* the record's number may be of another pid namespace */
	r = number_of(place, attach->pidfd, &attach->pid);
	if (r < 0)
		return r;
	r = ask_child(attach);
	if (r < 0)
		return r;
	r = take_recorded(attach, recall->record);
	return r < 0 ? r : admit(tracker, attach);
}

PUBLIC int pidtrack_attach_record(struct pidtrack *tracker,
				  const struct pidtrack_record *record,
				  uint32_t flags,
				  struct pidtrack_process **ret_process,
				  struct pidtrack_comparison *ret_comparison,
				  size_t size)
{
	struct recall recall = {
		.attach = { .pidfd = -1, .flags = flags },
		.record = record,
	};
	int r;

	if (flags & ~(PIDTRACK_ATTACH_OBSERVE | PIDTRACK_ATTACH_LEGACY))
		return -EINVAL;
	r = call_attach(tracker, do_attach_record, &recall.attach, ret_process);
	if (ret_comparison && recall.comparison.verdict != 0)
		pt_options_give(ret_comparison, size, &recall.comparison,
				sizeof(recall.comparison));
	return r;
}

/* ---- from a pidfd ---- */

PUBLIC int pidtrack_attach_pidfd(struct pidtrack *tracker, int pidfd,
				 uint32_t flags,
				 struct pidtrack_process **ret_process)
{
	struct attach attach = { .flags = flags };

	if (flags & ~PIDTRACK_ATTACH_OBSERVE)
		return -EINVAL;
	attach.pidfd = sys_dup_above(pidfd, 3);
	if (attach.pidfd < 0)
		return attach.pidfd;
	return call_attach(tracker, do_attach_pidfd, &attach, ret_process);
}
